/** Runs a handler on a Node response, and tells how it ended. */
import type { ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { isPromise, lapse, type MaybePromise } from '@retryproof/core/internal'
import type { BodyLimits } from '../../guard/answer/held-body.ts'
import { answered, type HandlerEnd, type HandlerRun, threw } from '../../guard/handler-end.ts'
import type { HandlerAttempt } from '../../guard/ports.ts'
import type { HandlerAnswer, HeaderField } from '../../protocol/exchange.ts'
import { captureResponse } from './capture/capture-response.ts'
import type { CapturedResponse, CaptureLimits } from './capture/captured-response.ts'
import type { NodeBinding } from './node-binding.ts'
import { watchOuterTimers } from './outer-timer.ts'
import { isBodyLost, lostBody, watchBody } from './request/request-body.ts'

export interface HandlerOnNode {
  /** Gives the capture of the last answer. */
  captured(): CapturedResponse
  readonly end: Promise<HandlerEnd>
  /** Returns true when the handler left its answer for the framework to write. */
  hasLeft(): boolean
  /** Returns true when an answer has left while the handler was at work: nothing more leaves. */
  isAhead(): boolean
  /** Returns true when a next run would find no body. */
  hasSpentBody(): boolean
  /** Passes an error on that comes after the answer, once its request is over: it is the framework's, as it is without a guard. */
  goOn(): void
  /** Lets the handler's answer go. */
  release(headers: readonly HeaderField[]): void
  /** Returns true for an error that the error path of the framework has already. */
  wasHandedOver(error: unknown): boolean
}

/**
 * Runs a handler under a capture.
 *
 * @param fail takes an error in the place of the binding's own
 */
export function runOnNode<Tx>(
  res: ServerResponse,
  binding: NodeBinding<Tx>,
  fail: NodeBinding<Tx>['fail'],
  attempt: HandlerAttempt,
  terms: HandlerRun<Tx>,
): HandlerOnNode {
  const { tx, limits } = terms
  let handedOver: { readonly error: unknown }[] = []
  const isTimer = watchOuterTimers(binding.req)
  const handlerNow = () => ({ hadReturned: hasReturned, working: hasReturned ? binding.working?.() : undefined })
  /** The handler when a timer answered past it: what that timer aborts may end in the same turn. */
  let passedBy: ReturnType<typeof handlerNow> | undefined
  function isOuterTimer(): boolean {
    passedBy = isTimer() ? handlerNow() : undefined
    return passedBy !== undefined
  }
  const onCut = () => lapse(attempt)
  // spread last: Node 20 makes a hidden class for each object that is spread and then given more members
  const limitsOf = (given: BodyLimits): CaptureLimits => ({ attempt, onCut, isOuterTimer, ...given })
  const hasSpentBody = watchBody(binding.req)
  let captured = captureResponse(res, limitsOf(limits))
  let hasLeft = false
  let hasReturned = false
  let isAhead = false
  let isThrown = false

  const recordable = (answer: HandlerAnswer) => binding.recordable?.(answer) ?? answer

  /** After a part has left nobody takes the answer for complete any more: the key comes free at once. */
  function onError(error: unknown): void {
    if (captured.isEnded) return
    handedOver.push({ error })
    if (captured.hasPassed) captured.fail(error)
  }

  /** Nobody answers, unless the handler does so yet: the key comes free, and what is written from now on leaves. */
  function onLost(error: unknown): void {
    if (captured.isEnded) return
    handedOver.push({ error })
    captured.abandon(error)
  }

  /** Gives what the error path of the framework answers. */
  async function answerTo(error: unknown): Promise<HandlerAnswer> {
    if (captured.isEnded) {
      captured.discard()
      binding.reset?.()
      captured = captureResponse(res, limitsOf(limits))
    }
    onError(error)
    fail(error)
    return recordable(await captured.answered)
  }

  async function endOf(first: Promise<First>): Promise<HandlerEnd> {
    return endBy(await first)
  }

  function endBy(first: First): MaybePromise<HandlerEnd> {
    if (first && 'error' in first) {
      isThrown = true
      return threw(first.error, () => answerTo(first.error))
    }
    hasLeft = first !== undefined && 'left' in first
    if (!first) return captured.answered.then((answer) => endWith(recordable(answer), tx === undefined))
    return 'left' in first ? endWith(first.left, false) : endWith(recordable(first.answer), tx === undefined)
  }

  /** @param mayBeAtWork nobody has said yet that the handler has returned */
  function endWith(answer: HandlerAnswer, mayBeAtWork: boolean): HandlerEnd {
    // a parser that found no body is answered for by nobody
    if (answer.response.status >= 400 && isBodyLost(binding.req)) throw lostBody()
    const [passedOn] = handedOver
    const end = passedOn ? threw(passedOn.error, async () => answer) : answered(answer)
    return mayBeAtWork ? { outlast: () => outlast(end, answer), ...end } : end
  }

  /** Lets an answer go that says nothing about the handler, since that is still at work, and waits for the end of the handler itself. */
  async function outlast(end: HandlerEnd, answer: HandlerAnswer): Promise<HandlerEnd> {
    const { isTimedOut } = captured
    // a handler that answers last returns right afterwards
    if (!isTimedOut) await turn()
    const { hadReturned, working } = passedBy ?? handlerNow()
    // nobody learns when a handler of callbacks ends
    const ofCallbacks = isTimedOut ? new Promise<undefined>(() => {}) : undefined
    const work = hadReturned ? ((await working)?.end ?? ofCallbacks) : returned
    if (!work) return end
    isAhead = true
    handedOver = []
    const renewed = captured.renew(work)
    if (isPromise(renewed)) await renewed
    binding.renew?.()
    const whole = { ...limits, stream: false, whole: true }
    begin(whole)
    captured = captureResponse(res, limitsOf(whole))
    const silent = threw(new Error('The handler ended without an answer of its own.'), async () => answer)
    try {
      const last = await Promise.race([captured.answered.then(() => undefined), work.then((left) => left || null)])
      if (last && 'error' in last) return threw(last.error, async () => answer)
      if (last === null) await turn()
      // a timer may have answered in that turn: the handler is over all the same
      if (last !== null || (captured.isBegun() && !captured.isTimedOut)) return await endBy(last ?? undefined)
      // its own answer, after which it has cleaned up, stands
      return isTimedOut || end.kind === 'threw' ? silent : end
    } catch (error) {
      return threw(error, async () => answer)
    }
  }

  function begin(given: BodyLimits): void {
    binding.begin?.({ tx, limits: given }, attempt)
    binding.watchErrors?.({ onError, onLost })
  }

  begin(limits)
  const returned: Promise<Returned> = binding.run(tx).then(
    (left) => {
      hasReturned = true
      return left ? { left } : undefined
    },
    (error: unknown) => {
      hasReturned = true
      return { error }
    },
  )
  return {
    captured: () => captured,
    end: endOf(tx === undefined ? firstOf(captured.answered, returned) : returned),
    goOn() {
      void returned.then((last) => {
        if (!last || 'left' in last) binding.goOn?.()
        else if (!isThrown) fail(last.error)
      })
    },
    hasLeft: () => hasLeft,
    isAhead: () => isAhead,
    hasSpentBody,
    release(headers) {
      if (hasLeft) captured.letThrough(headers)
      else captured.release(headers)
    },
    wasHandedOver: (error) => handedOver.some((each) => each.error === error),
  }
}

/** The end of a handler, as its framework tells it: a throw, or an answer that the framework is to write. */
export type Returned = { readonly error: unknown } | { readonly left: HandlerAnswer } | undefined

/** The first that is known of an end: the complete answer, or what the framework tells. */
type First = { readonly answer: HandlerAnswer } | Returned

/** Waits for a complete answer, one that was left, or a throw, whichever is first. */
function firstOf(answered: Promise<HandlerAnswer>, returned: Promise<Returned>): Promise<First> {
  return new Promise((resolve, reject) => {
    answered.then((answer) => resolve({ answer }), reject)
    void returned.then((end) => end && resolve(end))
  })
}
