/** One request on a Node response, from its key to its answer: the only chain of Express, Fastify, Koa, NestJS and plain servers. */
import type { ServerResponse } from 'node:http'
import { notStarted } from '@retryproof/core'
import type { Guard } from '../../guard/guard.ts'
import type { Exchange } from '../../protocol/exchange.ts'
import { answerEarly } from './answer-early.ts'
import type { NodeBinding } from './node-binding.ts'
import { shedClass } from './own-class.ts'
import { isBodyLost, lostBody, spentBody } from './request/request-body.ts'
import { type HandlerOnNode, runOnNode } from './run-on-node.ts'

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
  shedClass(req)
  shedClass(res)
  const fail = failing(guard, exchange.native, res, binding)
  let run: HandlerOnNode | undefined
  const runs: HandlerOnNode[] = []
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
        run = runOnNode(res, binding, fail, attempt, terms)
        runs.push(run)
        return run.end
      },
      answerEarly: (response) => answerEarly(res, response),
    })
    if (decision.kind === 'pass') await binding.run(undefined)
    else if (decision.kind === 'sent' || run?.isAhead()) run?.captured().letGo()
    else if (decision.kind === 'own') run?.release(decision.headers)
    else if (decision.kind === 'send' && run && !run.hasLeft()) run.captured().replace(decision.response)
    else if (decision.kind === 'send') {
      undo()
      binding.send(decision.response)
    }
  } catch (error) {
    // a response that the handler destroyed has nobody left to answer
    if (run?.isAhead() || (undo() !== 'destroyed' && !run?.wasHandedOver(error))) fail(error)
  } finally {
    for (const each of runs) each.goOn()
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
