/** Converts replies of the script to records. */
import type { StoredRecord } from '@retryproof/core/store'
import { HEAD_BYTES, letters } from './statements.ts'

/** The answer to a call, and the server's clock (µs) when it was given. */
export interface Answer {
  readonly found: Buffer
  readonly now: number
}

/** A record, and the server's clock (µs) when it was seen. */
export interface Seen {
  readonly record: StoredRecord | null
  readonly now: number
}

const states = Object.fromEntries(
  Object.entries(letters).map(([state, letter]) => [letter.charCodeAt(0), state as StoredRecord['state']]),
)

/** Reads the clock, and the record or its beginning: values that the script left out are null. */
export function toSeen({ now, found }: Answer): Seen {
  if (!found.length) return { record: null, now }
  let end = HEAD_BYTES
  const text = (length: number) => {
    end += length
    return found.toString('utf8', end - length, end)
  }
  /** Copies bytes: the driver's Buffer is a part of everything that it read at once. */
  const bytes = (length: number) => {
    end += Math.max(length, 0)
    return length < 0 || end > found.length ? null : new Uint8Array(found.subarray(end - length, end))
  }
  const owner = text(found.readUInt32LE(40))
  const fingerprint = text(found.readUInt32LE(44))
  const request = bytes(found.readInt32LE(48))
  const data = bytes(found.readInt32LE(52))
  const record: StoredRecord = {
    state: states[found.readUInt8(2)] ?? 'tombstone',
    token: found.readDoubleLE(8),
    owner,
    fingerprint,
    attempt: found.readUInt32LE(4),
    interrupted: found.readUInt8(3) === 1,
    leaseUntil: found.readDoubleLE(16),
    expiresAt: found.readDoubleLE(24),
    request,
    checkpoint: data && { seq: found.readDoubleLE(32), data },
    result: bytes(found.readInt32LE(56)),
  }
  return { record, now }
}

/** Tells whether the script did what a call asks for, and says no more. */
export function isOk({ found }: Answer): boolean {
  return found.length === 1 && found[0] === 0x31
}
