/** Entries of a cache: a settled record, its deadline, and a digest that binds it to its key and its durable store. */
import { createDigest } from '@retryproof/core/internal'
import type { RecordView } from '@retryproof/core/store'

/** A settled record. Times are milliseconds since 1970, by the clock of the process that wrote the entry. */
export interface Entry {
  readonly state: 'completed' | 'failed'
  readonly token: number
  readonly fingerprint: string
  readonly attempt: number
  readonly interrupted: boolean
  /** The end of the record. */
  readonly expiresAt: number
  /** The end of the entry: never after that of the record. */
  readonly deadline: number
  readonly result: Uint8Array
}

/** Encodes entries of one durable store. */
export interface EntryFormat {
  encode(key: string, entry: Entry): Uint8Array
  /** Returns null for bytes that are no entry of this key and this durable store, or are damaged. */
  decode(key: string, bytes: Uint8Array): Entry | null
}

const VERSION = '2'
const DIGEST_CHARACTERS = 64
const LINE_FEED = 10
const utf8 = new TextEncoder()
const text = new TextDecoder()
const digest = createDigest(undefined)

/** Returns the entry of a record that was read by a call sent at `sentAt`; null unless it is settled for good. */
export function toEntry(record: RecordView, sentAt: number, cacheForMs: number): Entry | null {
  const { state, token, fingerprint, attempt, interrupted, retentionRemainingMs, result } = record
  if ((state !== 'completed' && state !== 'failed') || !result) return null
  const expiresAt = sentAt + retentionRemainingMs
  // the remaining retention was rounded up
  const deadline = Math.min(expiresAt - 1, sentAt + cacheForMs)
  return { state, token, fingerprint, attempt, interrupted, expiresAt, deadline, result }
}

/**
 * Returns the record as a store would answer it at `now`; null after the deadline of the entry.
 *
 * @param readOnly its reader changes no bytes, and needs no copy of them
 */
export function toRecord(entry: Entry, now: number, readOnly = false): RecordView | null {
  const { state, token, fingerprint, attempt, interrupted, expiresAt, deadline, result } = entry
  if (deadline <= now) return null
  return {
    state,
    token,
    fingerprint,
    attempt,
    interrupted,
    leaseRemainingMs: 0,
    retentionRemainingMs: Math.ceil(expiresAt - now),
    request: null,
    checkpoint: null,
    result: readOnly ? result : result.slice(),
  }
}

/**
 * Returns the format of the entries of `durableId`: a line with the version and a digest, a line with the facts as JSON,
 * and the bytes of the result. The digest covers the durable store, the storage key, the facts and the result, so that an
 * entry that was cut, changed, swapped, or written for another database is refused.
 */
export function entryFormat(durableId: string): EntryFormat {
  const seal = (key: string, facts: string, result: Uint8Array) =>
    digest('retryproof/cached', [VERSION, durableId, key, facts, result])
  /** Entries by the array that held them: a cache in memory gives the same one each time, and it is checked once. */
  const known = new WeakMap<Uint8Array, { readonly key: string; readonly entry: Entry | null }>()

  function check(key: string, bytes: Uint8Array): Entry | null {
    const factsAt = VERSION.length + DIGEST_CHARACTERS + 1
    const resultAt = bytes.indexOf(LINE_FEED, factsAt) + 1
    if (bytes[factsAt - 1] !== LINE_FEED || resultAt === 0) return null
    const facts = text.decode(bytes.subarray(factsAt, resultAt - 1))
    const result = bytes.slice(resultAt)
    const sealed = `${VERSION}${seal(key, facts, result)}`
    // the seal proves that `encode` wrote the facts
    return text.decode(bytes.subarray(0, factsAt - 1)) === sealed ? { ...(JSON.parse(facts) as Entry), result } : null
  }

  return {
    encode(key, { result, ...entry }) {
      const facts = JSON.stringify(entry)
      const head = utf8.encode(`${VERSION}${seal(key, facts, result)}\n${facts}\n`)
      const bytes = new Uint8Array(head.length + result.length)
      bytes.set(head)
      bytes.set(result, head.length)
      return bytes
    },

    decode(key, bytes) {
      // a text, a list of numbers, an object: the client of a cache may have parsed what it found
      if (Object.prototype.toString.call(bytes) !== '[object Uint8Array]') return null
      const before = known.get(bytes)
      if (before?.key === key) return before.entry
      const entry = check(key, bytes)
      known.set(bytes, { key, entry })
      return entry
    },
  }
}
