/** A request that is refused before anything runs, for a reason that the core knows nothing of. */
export class Refusal extends Error {
  readonly reason: 'key-missing' | 'body-too-large' | 'body-unsupported'

  constructor(reason: Refusal['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
