/** The key of an intent, from its first request until its time is over. */
import { IntentChangedError, IntentExpiredError, IntentStorageError, isIntentError } from '../base/errors.ts'
import { inTime, isTimeOut } from '../base/limit.ts'
import type { IntentStorage } from '../storages/storage.ts'
import type { ReadOptions } from './options.ts'

/**
 * - `new`: only one call has sent it whose request may have had an effect
 * - `open`: several calls have sent it; any of them may have had an effect
 * - `refused`: its requests did nothing; the same request may still be sent with it, and another takes its place
 * - `done`: the server has decided, and gives the same answer again
 */
type State = 'new' | 'open' | 'refused' | 'done'

/** An entry of the storage: `<digest>.<when minted, ms>.<state>.<the header's value>`. */
interface Entry {
  readonly key: string
  readonly digest: string
  readonly mintedAt: number
  readonly state: State
}

export interface IntentKey {
  /** The value of the header. */
  readonly key: string
  /** The time that is left to send it, in milliseconds. */
  readonly leftMs: number
  /** No earlier request with this key may have had an effect. */
  readonly isNew: boolean
}

export interface Intents {
  /**
   * Gives the key to send, one's own or a new one, and keeps it before anything is sent.
   *
   * @throws {@link IntentChangedError} when the intent was sent with another digest or key
   * @throws {@link IntentExpiredError} when the server may have forgotten the key
   * @throws {@link IntentStorageError} when the storage cannot keep it
   */
  keyFor(intent: string, digest: string, own?: string): Promise<IntentKey>
  /** Notes that the server has decided: the key stays, so that nobody sends the intent as something new. */
  markDone(intent: string, key: string): Promise<void>
  /** Notes that the only request with the key did nothing: another request may take the intent over. */
  markRefused(intent: string, key: string): Promise<void>
  /** Forgets the key that only this call has sent. */
  dropNew(intent: string, key: string): Promise<void>
  /** Forgets the intent; with a key, only if it still has that one. */
  drop(intent: string, key?: string): Promise<void>
}

/** A clock that was set back by more than this says nothing about how old a key is. */
const TOLERANCE_MS = 60_000
const FORM = /^([0-9a-f]{64})\.(\d{1,15})\.(new|open|refused|done)\.([\x20-\x7e]+)$/

/** The number of entries that each new key looks at: more than one, so that entries do not add up. */
const SWEPT = 2

export function createIntents({ storage, prefix, keepForMs, timeoutMs, header }: ReadOptions): Intents {
  let names: Iterator<string> | undefined

  async function update(...change: Parameters<IntentStorage['update']>): Promise<string | null> {
    try {
      return await inTime(storage.update(...change), timeoutMs)
    } catch (cause) {
      if (isIntentError(cause)) throw cause
      const said = isTimeOut(cause) ? `did not answer in ${timeoutMs} ms` : 'failed'
      throw new IntentStorageError(`The storage ${said}.`, { cause })
    }
  }

  function isOver({ state, mintedAt }: Entry): boolean {
    return (state === 'done' || state === 'refused') && Date.now() - mintedAt >= keepForMs
  }

  /** Removes entries whose time is over, some at each call. */
  async function sweep(): Promise<void> {
    names ??= storage.names?.()[Symbol.iterator]()
    for (let left = SWEPT; left > 0; ) {
      const next = names?.next()
      if (next?.done !== false) {
        names = undefined
        return
      }
      if (!next.value.startsWith(prefix)) continue
      left--
      await update(next.value, (current) => (current !== null && isOver(read(next.value, current)) ? null : current))
    }
  }

  /** Changes the entry of a key; leaves that of another key alone. */
  async function change(intent: string, key: string, to: (entry: Entry) => Entry | null): Promise<void> {
    await update(prefix + intent, (current) => {
      if (current === null) return null
      const entry = read(intent, current)
      const next = entry.key === key ? to(entry) : entry
      return next && write(next)
    })
  }

  return {
    async keyFor(intent, digest, own) {
      // a key of one's own may have been sent by another process
      const state = own === undefined ? 'new' : 'open'
      let isNew = false
      const fresh = write({ key: own ?? header.write(crypto.randomUUID()), digest, mintedAt: Date.now(), state })
      const differs = (entry: Entry) => entry.digest !== digest || (own !== undefined && entry.key !== own)
      const kept = await update(prefix + intent, (current) => {
        const entry = current === null ? null : read(intent, current)
        const isFree = !entry || isOver(entry) || (entry.state === 'refused' && differs(entry))
        isNew = isFree ? state === 'new' : entry.state === 'refused'
        if (isFree) return fresh
        if (entry.state === 'done') return current
        return write({ ...entry, state: isNew ? 'new' : 'open' })
      })
      if (kept === fresh) void sweep().catch(() => {})
      const entry = read(intent, kept ?? '')
      const ageMs = Date.now() - entry.mintedAt
      // the server may have forgotten a key that may be too old, and would take it for something new
      if (ageMs >= keepForMs || ageMs < -TOLERANCE_MS) throw new IntentExpiredError(intent)
      if (differs(entry)) throw new IntentChangedError(intent)
      return { key: entry.key, leftMs: keepForMs - ageMs, isNew }
    },
    markDone: (intent, key) => change(intent, key, (entry) => ({ ...entry, state: 'done' })),
    markRefused: (intent, key) =>
      change(intent, key, (entry) => (entry.state === 'new' ? { ...entry, state: 'refused' } : entry)),
    dropNew: (intent, key) => change(intent, key, (entry) => (entry.state === 'new' ? null : entry)),
    async drop(intent, key) {
      if (key !== undefined) return change(intent, key, () => null)
      await update(prefix + intent, () => null)
    },
  }
}

function write({ key, digest, mintedAt, state }: Entry): string {
  return `${digest}.${mintedAt}.${state}.${key}`
}

/** @throws {@link IntentStorageError} when the text is foreign: it may hold a key that was sent */
function read(intent: string, text: string): Entry {
  const [, digest, mintedAt, state, key] = FORM.exec(text) ?? []
  if (!key || !digest) {
    throw new IntentStorageError(`The storage holds a foreign value for '${intent}'. Look it up, then cancel it.`)
  }
  return { key, digest, mintedAt: Number(mintedAt), state: state as State }
}
