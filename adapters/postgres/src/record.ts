/** Converts replies of the statements to record views. */
import type { BeginReply, RecordView } from '@retryproof/core/store'

/** The answer of a statement: a record as its reader sees it, bytes as base64, and the decision about it. */
export interface Reply extends Omit<RecordView, 'request' | 'checkpoint' | 'result'> {
  readonly isolation: string
  readonly outcome?: BeginReply['outcome'] | null
  readonly verdict?: 'apply' | 'same' | 'lost' | null
  readonly applied: boolean
  /** False where the record is forgotten or expired, null where there is none. */
  readonly live: boolean | null
  readonly request: string | null
  readonly checkpoint: { readonly seq: number; readonly data: string } | null
  readonly result: string | null
}

/** Bytes of their own: a Buffer may be a part of a larger one. */
const toBytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

export function toLiveView(reply: Reply): RecordView | null {
  if (!reply.live) return null
  const { outcome: _, ...view } = toBeginReply(reply)
  return view
}

/** In one object without a spread, since every call makes one. */
export function toBeginReply(reply: Reply): BeginReply {
  const { request, checkpoint, result } = reply
  return {
    outcome: reply.outcome as BeginReply['outcome'],
    state: reply.state,
    token: reply.token,
    fingerprint: reply.fingerprint,
    attempt: reply.attempt,
    interrupted: reply.interrupted,
    leaseRemainingMs: reply.leaseRemainingMs,
    retentionRemainingMs: reply.retentionRemainingMs,
    request: request === null ? null : toBytes(request),
    checkpoint: checkpoint && { seq: checkpoint.seq, data: toBytes(checkpoint.data) },
    result: result === null ? null : toBytes(result),
  }
}
