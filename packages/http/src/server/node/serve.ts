/** One request on a Node response, from its key to its answer: the only chain of Express, Fastify, Koa, NestJS and plain servers. */
import type { ServerResponse } from 'node:http'
import { notStarted } from '@retryproof/core'
import { lapse } from '@retryproof/core/internal'
import type { Guard } from '../../guard/guard.ts'
import { answered, type HandlerEnd, type HandlerRun, threw } from '../../guard/handler-end.ts'
import type { HandlerAttempt } from '../../guard/ports.ts'
import type { Exchange, HandlerAnswer, HeaderField } from '../../protocol/exchange.ts'
import { answerEarly } from './answer-early.ts'
import { captureResponse } from './capture/capture-response.ts'
import type { CapturedResponse, CaptureLimits } from './capture/captured-response.ts'
import type { NodeBinding } from './node-binding.ts'
import { isBodyLost, lostBody, spentBody, watchBody } from './request/request-body.ts'

/**
 * Serves one request. Resolves when its answer has been handed over. Never rejects.
 *
 * @example
 * import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
 * import { createGuard } from '@retryproof/http'
 * import { headerFields, requestBody, sendResponse, serveNode } from '@retryproof/http/node'
 *
 * const guard = createGuard<IncomingMessage>(
 *   idempotency,
 *   { scope: ({ headers }) => String(headers['x-user']), operation: 'charge' },
 *   { hasHandler: true },
 * )
 *
 * async function charge(req: IncomingMessage, res: ServerResponse): Promise<void> {
 *   res.statusCode = 201
 *   res.end('charged')
 * }
 *
 * createServer((req, res) => {
 *   const { method = 'GET', url: target = '/' } = req
 *   const exchange = { ...requestBody(req, undefined), method, target, headers: headerFields(req) }
 *   void serveNode(guard, { ...exchange, route: undefined, native: req }, res, {
 *     req,
 *     run: () => charge(req, res),
 *     fail: (error) => res.destroy(error as Error),
 *     send: (response) => sendResponse(res, response),
 *   })
 * })
 */
export async function serveNode<Native, Tx>(
  guard: Guard<Native, Tx>,
  exchange: Exchange<Native>,
  res: ServerResponse,
  binding: NodeBinding<Tx>,
): Promise<void> {
  const { req } = binding
  const fail = failing(guard, exchange.native, res, binding)
  let run: HandlerOnNode | undefined
  let isOver = () => {}
  const over = new Promise<void>((resolve) => {
    isOver = resolve
  })
  function undo() {
    const left = run?.captured().discard()
    if (left === 'reset') binding.reset?.()
    return left
  }
  try {
    const decision = await guard.handle(exchange, {
      execute(attempt, terms) {
        if (isBodyLost(req)) throw notStarted(lostBody())
        if (run?.hasSpentBody()) throw spentBody()
        undo()
        run = runOnNode(res, { ...binding, fail }, attempt, terms, over)
        return run.end
      },
      answerEarly: (response) => answerEarly(res, response),
    })
    if (decision.kind === 'pass') await binding.run(undefined)
    else if (decision.kind === 'sent') run?.captured().letGo()
    else if (decision.kind === 'own') run?.release(decision.headers)
    else if (decision.kind === 'send' && run && !run.hasLeft()) run.captured().replace(decision.response)
    else if (decision.kind === 'send') {
      undo()
      binding.send(decision.response)
    }
  } catch (error) {
    // a response that the handler destroyed has nobody left to answer
    if (undo() !== 'destroyed' && !run?.wasHandedOver(error)) fail(error)
  } finally {
    isOver()
  }
}

/**
 * Runs a handler without protection, as `serveNode` does for a request that passes. Never rejects.
 *
 * @example
 * import type { ServerResponse } from 'node:http'
 * import type { Guard } from '@retryproof/http'
 * import { type NodeBinding, passOnNode } from '@retryproof/http/node'
 * import type { Request } from 'express'
 *
 * declare const guard: Guard<Request>
 * declare const binding: NodeBinding<unknown>
 *
 * async function pass(req: Request, res: ServerResponse) {
 *   if (!guard.covers(req.method)) await passOnNode(guard, req, res, binding)
 * }
 */
export async function passOnNode<Native, Tx>(
  guard: Pick<Guard<Native, Tx>, 'refusalOf'>,
  native: Native,
  res: ServerResponse,
  binding: NodeBinding<Tx>,
): Promise<void> {
  await binding.run(undefined).catch(failing(guard, native, res, binding))
}

/** Answers a refusal of this library, such as a precondition that does not hold, and leaves other errors to the framework. */
function failing<Native, Tx>(
  guard: Pick<Guard<Native, Tx>, 'refusalOf'>,
  native: Native,
  res: ServerResponse,
  { send, fail }: NodeBinding<Tx>,
): (error: unknown) => void {
  return (error) => {
    try {
      const refusal = res.headersSent ? undefined : guard.refusalOf(error, native)
      if (refusal) send(refusal)
      else fail(error)
    } catch (thrown) {
      // the option `problem` may throw: the framework answers that instead
      fail(thrown)
    }
  }
}

interface HandlerOnNode {
  /** Gives the capture of the last answer. */
  captured(): CapturedResponse
  readonly end: Promise<HandlerEnd>
  /** Returns true when the handler left its answer for the framework to write. */
  hasLeft(): boolean
  /** Returns true when a next run would find no body. */
  hasSpentBody(): boolean
  /** Lets the handler's answer go. */
  release(headers: readonly HeaderField[]): void
  /** Returns true for an error that the error path of the framework has already. */
  wasHandedOver(error: unknown): boolean
}

/** Runs a handler under a capture. `over` resolves when its request is: then errors that come late are passed on. */
function runOnNode<Tx>(
  res: ServerResponse,
  binding: NodeBinding<Tx>,
  attempt: HandlerAttempt,
  terms: HandlerRun<Tx>,
  over: Promise<void>,
): HandlerOnNode {
  const { tx, limits } = terms
  const handedOver: { readonly error: unknown }[] = []
  const captureLimits: CaptureLimits = { ...limits, attempt, onCut: () => lapse(attempt) }
  const hasSpentBody = watchBody(binding.req)
  let captured = captureResponse(res, captureLimits)
  let hasLeft = false
  let isThrown = false

  const recordable = (answer: HandlerAnswer) => binding.recordable?.(answer) ?? answer

  /** After a part has left nobody takes the answer for complete any more: the key comes free at once. */
  function onError(error: unknown): void {
    if (captured.isEnded) return
    handedOver.push({ error })
    if (captured.hasPassed) captured.fail(error)
  }

  /** Gives what the error path of the framework answers. */
  async function answerTo(error: unknown): Promise<HandlerAnswer> {
    if (captured.isEnded) {
      captured.discard()
      binding.reset?.()
      captured = captureResponse(res, captureLimits)
    }
    onError(error)
    binding.fail(error)
    return recordable(await captured.answered)
  }

  async function endOf(): Promise<HandlerEnd> {
    const first = tx === undefined ? await firstOf(captured.answered, returned) : await returned
    if (first && 'error' in first) {
      isThrown = true
      return threw(first.error, () => answerTo(first.error))
    }
    hasLeft = first !== undefined
    const answer = first?.left ?? recordable(await captured.answered)
    // a parser that found no body is answered for by nobody
    if (answer.response.status >= 400 && isBodyLost(binding.req)) throw lostBody()
    const [passedOn] = handedOver
    return passedOn ? threw(passedOn.error, async () => answer) : answered(answer)
  }

  /** An error that comes after the answer is the framework's, as it is without a guard. */
  async function goOn(): Promise<void> {
    await over
    const last = await returned
    if (!last || 'left' in last) binding.goOn?.()
    else if (!isThrown) binding.fail(last.error)
  }

  binding.begin?.(terms, attempt)
  binding.watchErrors?.(onError)
  const returned: Promise<Returned> = binding.run(tx).then(
    (left) => (left ? { left } : undefined),
    (error: unknown) => ({ error }),
  )
  void goOn()
  return {
    captured: () => captured,
    end: endOf(),
    hasLeft: () => hasLeft,
    hasSpentBody,
    release(headers) {
      if (hasLeft) captured.letThrough(headers)
      else captured.release(headers)
    },
    wasHandedOver: (error) => handedOver.some((each) => each.error === error),
  }
}

/** The end of a handler, as its framework tells it: a throw, or an answer that the framework is to write. */
type Returned = { readonly error: unknown } | { readonly left: HandlerAnswer } | undefined

/** Waits for a complete answer, one that was left, or a throw, whichever is first. */
function firstOf(answer: Promise<unknown>, returned: Promise<Returned>): Promise<Returned> {
  return new Promise((resolve, reject) => {
    answer.then(() => resolve(undefined), reject)
    void returned.then((end) => end && resolve(end))
  })
}
