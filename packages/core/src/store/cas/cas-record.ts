/**
 * A record as the bytes of one entry: a JSON header on the first line, then request, checkpoint and result as they are.
 * The header is an array whose first member is the version, so that a later layout is told apart before it is read.
 */
import { concat } from '../../base/bytes.ts'
import { StoreMisconfiguredError } from '../../errors.ts'
import type { StoredRecord } from '../reduce.ts'

/** The content of an entry: the record, and the clock (µs) of its last change. */
export interface CasRecord {
  readonly at: number
  readonly record: StoredRecord
}

type Length = number | null
type Header = [
  version: number,
  at: number,
  state: StoredRecord['state'],
  token: number,
  owner: string,
  fingerprint: string,
  attempt: number,
  interrupted: 0 | 1,
  leaseUntil: number,
  expiresAt: number,
  request: Length,
  checkpointSeq: number | null,
  checkpoint: Length,
  result: Length,
]

const VERSION = 1
const LINE_FEED = 10
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** The bytes of a record. They share nothing with it, so that a caller may reuse its buffers. */
export function encodeRecord({ at, record }: CasRecord): Uint8Array {
  const { request, checkpoint, result } = record
  const header: Header = [
    VERSION,
    at,
    record.state,
    record.token,
    record.owner,
    record.fingerprint,
    record.attempt,
    record.interrupted ? 1 : 0,
    record.leaseUntil,
    record.expiresAt,
    request?.length ?? null,
    checkpoint?.seq ?? null,
    checkpoint?.data.length ?? null,
    result?.length ?? null,
  ]
  const line = utf8.encode(`${JSON.stringify(header)}\n`)
  return concat([line, request, checkpoint?.data, result].filter((part) => !!part))
}

/**
 * The record that the bytes of an entry hold; it shares nothing with them.
 *
 * @throws {@link StoreMisconfiguredError} when they are no record, or one of a later version
 */
export function decodeRecord(key: string, bytes: Uint8Array): CasRecord {
  const end = bytes.indexOf(LINE_FEED)
  const header = parseHeader(key, text.decode(bytes.subarray(0, Math.max(0, end))))
  const [, at, state, token, owner, fingerprint, attempt, interrupted, leaseUntil, expiresAt, ...values] = header
  const [requestLength, seq, checkpointLength, resultLength] = values
  let offset = end + 1
  const take = (length: Length): Uint8Array | null => {
    if (length === null) return null
    offset += length
    return new Uint8Array(bytes.subarray(offset - length, offset))
  }
  const request = take(requestLength)
  const data = take(checkpointLength)
  const result = take(resultLength)
  if (offset !== bytes.length) throw notARecord(key, `it has ${bytes.length} bytes instead of ${offset}`)
  const checkpoint = data && seq !== null ? { seq, data } : null
  return {
    at,
    record: {
      state,
      token,
      owner,
      fingerprint,
      attempt,
      interrupted: interrupted === 1,
      leaseUntil,
      expiresAt,
      request,
      checkpoint,
      result,
    },
  }
}

function parseHeader(key: string, line: string): Header {
  let header: unknown
  try {
    header = JSON.parse(line)
  } catch (cause) {
    throw notARecord(key, 'it does not begin with a header', cause)
  }
  if (!Array.isArray(header) || typeof header[0] !== 'number') throw notARecord(key, 'it does not begin with a header')
  if (header[0] !== VERSION) {
    throw new StoreMisconfiguredError(
      `The entry '${key}' has record version ${header[0]}; this version of the library reads ${VERSION}. Deploy the version that wrote it.`,
    )
  }
  return header as Header
}

function notARecord(key: string, why: string, cause?: unknown): StoreMisconfiguredError {
  return new StoreMisconfiguredError(
    `The entry '${key}' is no record of this library (${why}). Give the store a place of its own.`,
    { cause },
  )
}
