/** The key of an intent, from its first request until its time is over. */
import { IntentChangedError, IntentExpiredError, IntentStorageError } from '../base/errors.ts'
import type { ReadOptions } from './options.ts'

/** What stands in a storage: `<key>.<digest>.<when minted, ms>.<open or done>`. */
interface Entry {
  readonly key: string
  readonly digest: string
  readonly mintedAt: number
  readonly done: boolean
}

export interface Intents {
  /**
   * The key to send, kept before anything is sent, and for how many milliseconds more it may be sent.
   *
   * @throws IntentChangedError, IntentExpiredError, IntentStorageError
   */
  keyFor(intent: string, digest: string): Promise<{ readonly key: string; readonly leftMs: number }>
  /** The server has decided, and goes on saying so: the key stays, so that nobody sends it as something new. */
  markDone(intent: string, key: string): Promise<void>
  /** Forgets the intent; with a key, only if it still has that one. */
  drop(intent: string, key?: string): Promise<void>
}

/** A clock that was set back by more than this says nothing about how old a key is. */
const TOLERANCE_MS = 60_000
const FORM = /^([\w-]{36})\.([0-9a-f]{64})\.(\d{1,15})\.(open|done)$/

export function createIntents({ storage, prefix, keepForMs }: ReadOptions): Intents {
  async function keyFor(intent: string, digest: string) {
    const fresh = write({ key: crypto.randomUUID(), digest, mintedAt: Date.now(), done: false })
    const kept = await storage.update(prefix + intent, (current) => {
      const entry = current === null ? null : read(intent, current)
      return entry?.done && Date.now() - entry.mintedAt >= keepForMs ? fresh : (current ?? fresh)
    })
    const entry = read(intent, kept ?? '')
    const ageMs = Date.now() - entry.mintedAt
    // the server may have forgotten a key that may be too old, and would take it for something new
    if (ageMs >= keepForMs || ageMs < -TOLERANCE_MS) throw new IntentExpiredError(intent)
    if (entry.digest !== digest) throw new IntentChangedError(intent)
    return { key: entry.key, leftMs: keepForMs - ageMs }
  }

  return {
    keyFor,
    async markDone(intent, key) {
      await storage.update(prefix + intent, (current) => {
        const entry = current === null ? null : read(intent, current)
        return entry?.key === key ? write({ ...entry, done: true }) : current
      })
    },
    async drop(intent, key) {
      await storage.update(prefix + intent, (current) =>
        key === undefined || current?.startsWith(`${key}.`) ? null : current,
      )
    },
  }
}

function write({ key, digest, mintedAt, done }: Entry): string {
  return `${key}.${digest}.${mintedAt}.${done ? 'done' : 'open'}`
}

/** @throws IntentStorageError: it may be a key that was sent, so that a new one would be a second request */
function read(intent: string, text: string): Entry {
  const [, key, digest, mintedAt, state] = text.match(FORM) ?? []
  if (!key || !digest)
    throw new IntentStorageError(`What is kept for '${intent}' is not ours. Look it up, then cancel it.`)
  return { key, digest, mintedAt: Number(mintedAt), done: state === 'done' }
}
