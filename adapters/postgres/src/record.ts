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

export const toLiveView = (reply: Reply): RecordView | null => (reply.live ? toView(reply) : null)

export function toView(reply: Reply): RecordView {
  const { state, token, fingerprint, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = reply
  const { request, checkpoint, result } = reply
  return {
    ...{ state, token, fingerprint, attempt, interrupted, leaseRemainingMs, retentionRemainingMs },
    request: request === null ? null : toBytes(request),
    checkpoint: checkpoint && { seq: checkpoint.seq, data: toBytes(checkpoint.data) },
    result: result === null ? null : toBytes(result),
  }
}
