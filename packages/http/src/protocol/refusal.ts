/** What a client is told that asked for something which cannot be had, for a reason that the core knows nothing of. */
export class Refusal extends Error {
  readonly reason:
    | 'key-missing'
    | 'body-too-large'
    | 'body-unsupported'
    | 'callback-refused'
    | 'precondition-failed'
    | 'precondition-required'
    | 'not-running'
    | 'unknown-operation'

  constructor(reason: Refusal['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
