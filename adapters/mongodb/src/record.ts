/** Converts between the values of the contract and the documents and variables of MongoDB. */
import { type Checkpoint, type StoredRecord, StoreMisconfiguredError } from '@retryproof/core/store'
import { LAYOUT } from './statements.ts'

type Time = number | Date
type Bytes = Uint8Array | null | undefined

/** A document as a projection returns it. */
export interface Stored extends Omit<StoredRecord, 'leaseUntil' | 'expiresAt' | 'request' | 'checkpoint' | 'result'> {
  readonly _id: string
  readonly v: number
  readonly at: Time
  /** Missing in the answer to a write that the driver sent twice: that answer is the document as it was stored. */
  readonly now?: Time
  readonly leaseUntil?: Time
  readonly expiresAt: Time
  readonly request?: Bytes
  readonly checkpoint?: { readonly seq: number; readonly data?: Bytes } | null
  readonly result?: Bytes
}

/** A record, and the server's clock (µs) when it was seen. */
export interface Seen {
  readonly record: StoredRecord | null
  readonly now: number
}

const us = (time: Time | undefined) => Number(time ?? 0) * 1000
/** Copies bytes: the driver encodes late, when a caller may have reused its buffer, and decodes into a view of its input. */
export const copy = (bytes: Uint8Array) => new Uint8Array(bytes)
const copyOf = (bytes: Bytes) => (bytes ? copy(bytes) : null)

export const isRecord = ({ v }: Stored): boolean => v === LAYOUT

/** @throws {@link StoreMisconfiguredError} when the document is no record of this layout */
export function toSeen(found: unknown): Seen {
  if (found === null) return { record: null, now: 0 }
  const document = found as Stored
  if (!isRecord(document)) {
    throw new StoreMisconfiguredError(
      `A document is no record of layout ${LAYOUT}: deploy the version that wrote it, or give the store a collection of its own.`,
    )
  }
  const { leaseUntil, expiresAt, request, checkpoint, result } = document
  const record: StoredRecord = {
    ...document,
    leaseUntil: us(leaseUntil),
    expiresAt: us(expiresAt),
    request: copyOf(request),
    checkpoint: checkpoint ? { seq: checkpoint.seq, data: copyOf(checkpoint.data) ?? new Uint8Array() } : null,
    result: copyOf(result),
  }
  return { record, now: us(document.now ?? document.at) }
}

/** The members of a claim, and of every change. */
interface Values {
  readonly owner?: string
  readonly fingerprint?: string
  readonly token?: number
  readonly leaseMs?: number
  readonly delayMs?: number
  readonly tombstoneMs?: number
  readonly retentionMs?: number
  readonly unresolved?: boolean
  readonly shorten?: boolean
  readonly request?: Uint8Array
  readonly checkpoint?: Checkpoint
  readonly result?: Uint8Array
}

/** Returns the variables of a pipeline, as literals that it never reads as expressions. */
export function variablesOf({ owner, fingerprint, token, checkpoint, ...values }: Values): object {
  const variables = {
    owner,
    fingerprint,
    token,
    lease: values.leaseMs ?? values.delayMs ?? values.tombstoneMs ?? 0,
    retention: values.retentionMs ?? 0,
    unresolved: values.unresolved ?? false,
    shorten: values.shorten ?? false,
    request: copyOf(values.request),
    checkpoint: checkpoint && { seq: checkpoint.seq, data: copyOf(checkpoint.data) },
    result: copyOf(values.result),
  }
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, { $literal: value ?? null }]))
}
