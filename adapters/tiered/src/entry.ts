/** What stands in a cache: a settled record, and until when it may be believed. */
import type { RecordView } from '@retryproof/core/store'

/** Times are milliseconds since 1970, by the clock of whoever wrote the entry. */
export interface Entry {
  readonly state: 'completed' | 'failed'
  readonly token: number
  readonly fingerprint: string
  readonly attempt: number
  readonly interrupted: boolean
  /** When the record expires. */
  readonly expiresAt: number
  /** Until when the entry may be believed: never after the record's end. */
  readonly deadline: number
  readonly result: Uint8Array
}

const LINE_FEED = 10
const VERSION = 1
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** The entry of a record that was read by a call sent at `sentAt`; null where it is not settled for good. */
export function toEntry(record: RecordView, sentAt: number, cacheForMs: number): Entry | null {
  const { state, token, fingerprint, attempt, interrupted, retentionRemainingMs, result } = record
  if ((state !== 'completed' && state !== 'failed') || !result) return null
  const expiresAt = sentAt + retentionRemainingMs
  // what remained was rounded up
  const deadline = Math.min(expiresAt - 1, sentAt + cacheForMs)
  return { state, token, fingerprint, attempt, interrupted, expiresAt, deadline, result }
}

/** The record as a store would answer it at `now`; null once the entry is not to be believed. */
export function toRecord(entry: Entry, now: number): RecordView | null {
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
    result: result.slice(),
  }
}

export function encodeEntry({ result, ...facts }: Entry): Uint8Array {
  const head = utf8.encode(JSON.stringify({ version: VERSION, ...facts }))
  const bytes = new Uint8Array(head.length + 1 + result.length)
  bytes.set(head)
  bytes[head.length] = LINE_FEED
  bytes.set(result, head.length + 1)
  return bytes
}

/** Null for whatever else may stand in a cache. */
export function decodeEntry(bytes: Uint8Array): Entry | null {
  try {
    const end = bytes.indexOf(LINE_FEED)
    const { version, ...facts } = JSON.parse(text.decode(bytes.subarray(0, end)))
    return version === VERSION ? { ...facts, result: bytes.slice(end + 1) } : null
  } catch {
    return null
  }
}
