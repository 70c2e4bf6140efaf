/** Telling somebody an answer that nobody waits for. */
import type { HttpResponse } from './exchange.ts'

export interface Notice {
  /** Where the answer can be had, too. */
  readonly location: string
  readonly response: HttpResponse
}

/** Best effort: what matters is the record, and whoever is not reached can ask the status resource. */
export interface Notifier<Native> {
  /**
   * Where this request wants to be told; `undefined`: nowhere.
   *
   * @throws Refusal for an address that is not allowed
   */
  address(request: Native): URL | undefined
  /** Never rejects. */
  deliver(address: URL, notice: Notice): Promise<void>
}
