/** The result of a capture, and its limits. */
import type { BodyLimits } from '../../../guard/answer/held-body.ts'
import type { HandlerAnswer, HeaderField, HttpResponse } from '../../../protocol/exchange.ts'

/** The answer of a handler, on its way out. */
export interface CapturedResponse {
  /** Resolves once the handler has ended its answer; rejects when it destroyed the response instead. */
  readonly answered: Promise<HandlerAnswer>
  /** True when a part of the answer has left. */
  readonly hasPassed: boolean
  /** True when the answer is complete. */
  readonly isEnded: boolean
  /** True when a timer that was set before the handler began has completed the answer. */
  readonly isTimedOut: boolean
  /** Returns true when somebody has begun to write, or to pipe. */
  isBegun(): boolean
  /** Makes `answered` reject, and lets through all that is written from now on. */
  fail(error: unknown): void
  /** Makes `answered` reject, and lets through what was written and all that is written from now on. */
  abandon(error: unknown): void
  /** Lets the handler's answer go, with these headers more where they can still be added. */
  release(headers?: readonly HeaderField[]): void
  /**
   * Lets the answer go, and makes the response look as if nobody had answered yet. All that is written from now on has to be captured.
   * Gives a promise where somebody outside ends the answer later: it waits for that end, but no longer than for `work`.
   */
  renew(work: Promise<unknown>): Promise<void> | undefined
  /** Lets all through that is written from now on, with these headers more, to a response that nobody has written to. */
  letThrough(headers: readonly HeaderField[]): void
  /** Drops it and sends this one; cuts the connection where a part of the handler's has left already. */
  replace(response: HttpResponse): void
  /** Stops watching the connection of an answer that goes to nobody. */
  letGo(): void
  /**
   * Drops it and leaves the response as it was before the handler, unless that destroyed it. Cuts the connection of a complete
   * answer of which a part has left.
   */
  discard(): 'reset' | 'destroyed'
}

export interface CaptureLimits extends BodyLimits {
  /** Its signal aborts when the handler had all the time that it may take. Asked for once the client is gone. */
  readonly attempt?: { readonly signal: AbortSignal }
  /** Called when the server closed the connection while the handler said nothing. */
  readonly onCut?: () => void
  /** Returns true while a timer runs that was set before the handler began. */
  readonly isOuterTimer?: () => boolean
}
