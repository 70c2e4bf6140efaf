/** One request, from its key to its answer. Nest answers as ever; what it writes is held back until it is recorded. */
import { type CallHandler, Logger } from '@nestjs/common'
import type { Exchange, Guard, HandlerAnswer, HttpResponse } from '@retryproof/http'
import { sendResponse, serveNode } from '@retryproof/http/node'
import type { Subscriber } from 'rxjs'
import type { Platform } from './platform/platform.ts'
import { setTransaction } from './request/attempt.ts'
import { holdHead, sendAndTell } from './tell-nest.ts'

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

/** Serves one request. Never rejects. */
export async function serve<Native, Tx>(served: Served<Native, Tx>): Promise<void> {
  const { guard, exchange, platform, next, subscriber, isEvents } = served
  const { res } = platform
  const letHeadGo = isEvents ? holdHead(res) : () => {}
  /** Resolves when Nest knows of the answer that was sent without it. */
  let told: Promise<void> | undefined
  let isHandedOver = false

  /** Resolves as the handler ends. Nest has its values at once; in a transaction all of them, once it has ended. */
  function run(tx: Tx | undefined): Promise<HandlerAnswer | undefined> {
    letHeadGo()
    if (tx !== undefined) setTransaction(platform.native, tx)
    return new Promise((resolve, reject) => {
      if (isHandedOver) throw lateConflict
      const values: unknown[] = []
      const subscription = next.handle().subscribe({
        next(value) {
          if (tx === undefined) subscriber.next(value)
          else values.push(value)
        },
        complete() {
          // Nest answers nobody any more
          if (subscriber.closed) return resolve(res.writableEnded ? undefined : untold(res.statusCode))
          isHandedOver = true
          for (const value of values) subscriber.next(value)
          subscriber.complete()
          resolve(undefined)
        },
        error: reject,
      })
      // Nest takes events for over when their client has left; they may have no other end
      if (isEvents) subscriber.add(subscription)
    })
  }

  await serveNode(guard, exchange, res, {
    req: platform.req,
    run,
    fail(error) {
      if (!subscriber.closed) {
        isHandedOver = true
        subscriber.error(error)
        return
      }
      if (error !== lateConflict) new Logger('Retryproof').error(error)
      if (!res.writableEnded) sendResponse(res, error === lateConflict ? tryAgain : failed)
    },
    send(response) {
      letHeadGo()
      told = sendAndTell(subscriber, platform, response)
    },
    begin: () => platform.note(),
    reset: () => platform.reset(),
    renew: () => platform.reset(),
    recordable: (answer) => platform.recordable(answer),
  })
  await told
}

/** A handler that ended without an answer. */
function untold(status: number): HandlerAnswer {
  return { response: { status, headers: [], body: new Uint8Array() }, replayable: false }
}

const lateConflict = new Error('A transaction conflicted when Nest had answered already.')

/** Answers for a Nest that has what it answers, and cannot be given anything else any more. */
const failed: HttpResponse = { status: 500, headers: [], body: new Uint8Array() }
const tryAgain: HttpResponse = { status: 503, headers: [['Retry-After', '1']], body: new Uint8Array() }
