/** One request, from its key to its answer. Nest answers as ever; what it writes is held back until it is recorded. */
import type { CallHandler } from '@nestjs/common'
import {
  answered,
  type Exchange,
  type Guard,
  type HandlerAnswer,
  type HandlerAttempt,
  type HandlerEnd,
  type HandlerRun,
  type HttpResponse,
  threw,
} from '@retryproof/http'
import { answerEarly, type CapturedResponse, captureResponse } from '@retryproof/http/node'
import type { Subscriber } from 'rxjs'
import type { Platform } from './platform/platform.ts'
import { setTransaction } from './request/attempt.ts'
import { holdHead, tellAnswered } from './tell-nest.ts'

export interface Served<Native, Tx> {
  readonly guard: Guard<Native, Tx>
  readonly exchange: Exchange<Native>
  readonly platform: Platform
  /** The pipes and the handler. */
  readonly next: CallHandler<unknown>
  /** Nest, and the interceptors that stand outside. */
  readonly subscriber: Subscriber<unknown>
  /** Tells whether the handler returns server-sent events. */
  readonly isEvents: boolean
}

export async function serve<Native, Tx>(served: Served<Native, Tx>): Promise<void> {
  const { guard, exchange, platform, next, subscriber, isEvents } = served
  const { res } = platform
  const letHeadGo = isEvents ? holdHead(res) : () => {}
  let captured: CapturedResponse | undefined
  /** Nest has what it answers, and cannot be given anything else any more. */
  let isHandedOver = false
  /** Answers that were sent without Nest. */
  let sent: HttpResponse | undefined

  function send(response: HttpResponse): void {
    sent = response
    platform.send(response)
  }

  /** Hands what a handler threw to Nest, and gives what Nest and its filters answer. */
  async function answerTo(error: unknown): Promise<HandlerAnswer> {
    isHandedOver = true
    subscriber.error(error)
    return platform.recordable(await answerOf(captured))
  }

  /** Resolves as the handler ends, where Nest tells: it threw, or Nest answers nobody, since they left. */
  function run(tx: Tx | undefined): Promise<HandlerEnd> {
    return new Promise((resolve, reject) => {
      let last: unknown
      const subscription = next.handle().subscribe({
        next(value) {
          if (tx === undefined) subscriber.next(value)
          else last = value
        },
        complete() {
          if (subscriber.closed) return resolve(answered(untold(res.statusCode)))
          isHandedOver = true
          if (tx !== undefined) subscriber.next(last)
          subscriber.complete()
        },
        error(error) {
          if (subscriber.closed) return reject(error)
          const refusal = guard.refusalOf(error, exchange.native)
          if (refusal) return send(refusal)
          resolve(threw(error, () => answerTo(error)))
        },
      })
      // Nest takes events for over when their client has left; they may have no other end
      if (isEvents) subscriber.add(subscription)
    })
  }

  async function execute({ signal }: HandlerAttempt, { tx, limits }: HandlerRun<Tx>): Promise<HandlerEnd> {
    if (isHandedOver) throw new Error('A transaction conflicted when Nest had answered already.')
    letHeadGo()
    if (captured?.discard() === 'reset') platform.reset()
    captured = captureResponse(res, { ...limits, signal })
    platform.note()
    if (tx !== undefined) setTransaction(platform.native, tx)
    const answer = captured.answered.then((each) => answered(platform.recordable(each)))
    return Promise.race([answer, run(tx)])
  }

  try {
    const decision = await guard.handle(exchange, {
      execute,
      async answerEarly(response) {
        letHeadGo()
        await answerEarly(res, response)
      },
    })
    letHeadGo()
    if (decision.kind === 'pass') next.handle().subscribe(subscriber)
    else if (decision.kind === 'own') captured?.release(decision.headers)
    else if (decision.kind === 'send' && captured) captured.replace(decision.response)
    else if (decision.kind === 'send') send(decision.response)
    if (sent) await tellAnswered(subscriber, platform, sent)
  } catch (error) {
    letHeadGo()
    // a response that the handler destroyed has nobody left to answer
    if (captured?.discard() === 'destroyed') return
    if (isHandedOver) captured?.replace(tryAgain)
    else subscriber.error(error)
  }
}

async function answerOf(captured: CapturedResponse | undefined): Promise<HandlerAnswer> {
  if (!captured) throw new Error('No handler was run.')
  return captured.answered
}

/** A handler that ended without an answer. */
function untold(status: number): HandlerAnswer {
  return { response: { status, headers: [], body: new Uint8Array() }, replayable: false }
}

const tryAgain: HttpResponse = { status: 503, headers: [['Retry-After', '1']], body: new Uint8Array() }
