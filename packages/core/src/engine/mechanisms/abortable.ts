import { IdempotencyLeaseLostError } from '../../errors.ts'

/** A signal that is made when somebody asks for it: most handlers do not, and one costs more than all else of a lease. */
export abstract class Abortable {
  abortReason: IdempotencyLeaseLostError | undefined
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.abortReason) this.#controller.abort(this.abortReason)
    }
    return this.#controller.signal
  }

  protected abort(reason: string): void {
    if (this.abortReason) return
    this.abortReason = new IdempotencyLeaseLostError(reason)
    this.#controller?.abort(this.abortReason)
  }
}
