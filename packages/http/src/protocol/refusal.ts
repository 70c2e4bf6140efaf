/** Refuses a request for a reason that the core does not know. Becomes a problem response. */

/** Marks refusals, whichever copy of the package made them. */
const BRAND = Symbol.for('retryproof.http.refusal')

export type RefusalReason =
  | 'key-missing'
  | 'unauthenticated'
  | 'body-too-large'
  | 'body-unsupported'
  | 'callback-refused'
  | 'precondition-failed'
  | 'precondition-required'
  | 'not-running'
  | 'unknown-operation'

export class Refusal extends Error {
  readonly [BRAND] = true
  readonly reason: RefusalReason
  /** Replaces the general advice about the reason in the answer. */
  readonly detail: string | undefined

  constructor(reason: RefusalReason, detail?: string) {
    super(detail ?? reason)
    this.reason = reason
    this.detail = detail
  }
}

/** Recognizes refusals of another copy of the package too. */
export function isRefusal(error: unknown): error is Refusal {
  return typeof error === 'object' && error !== null && BRAND in error
}
