/** Listeners of Node's own servers: of `http` and `https`, and of `http2` with its compatible API. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createGuard } from '../../guard/guard.ts'
import { attemptFor } from '../../guard/marks.ts'
import type { Guarding, HttpOptions } from '../../guard/options/options.ts'
import type { HandlerAttempt } from '../../guard/ports.ts'
import { type Exchange, headerFields } from '../../protocol/exchange.ts'
import { closeSignal, sendResponse } from './headers.ts'
import type { NodeBinding } from './node-binding.ts'
import { givenBody } from './request/given-body.ts'
import { passOnNode, serveNode } from './serve.ts'

export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse

export interface NodeOptions<Req extends NodeRequest, Res extends NodeResponse> extends HttpOptions<Req> {
  /** Answers an error of the handler, as the error handler of a framework does. Nothing has been sent, unless `res.headersSent`. */
  readonly onError: (error: unknown, req: Req, res: Res) => void
}

/** A handler that answers on Node's response, at once or later. */
export type NodeHandler<
  Req extends NodeRequest,
  Res extends NodeResponse,
  Context = { readonly attempt: HandlerAttempt | undefined },
> = (
  req: Req,
  res: Res,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: Context,
) => unknown

/** A handler that writes on an open transaction, which commits together with what it answers. */
export type NodeTransactionHandler<Req extends NodeRequest, Res extends NodeResponse, Tx> = NodeHandler<
  Req,
  Res,
  { readonly attempt: HandlerAttempt; readonly tx: Tx }
>

/**
 * Makes a handler of a plain server safe to retry, over HTTP/1.1 and HTTP/2. Node knows no routes, so that `operation` is
 * required.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is not what it must be
 *
 * @example
 * import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
 * import { idempotent } from '@retryproof/http/node'
 *
 * const charge = idempotent(
 *   idempotency,
 *   {
 *     scope: ({ headers }) => String(headers['x-user'] ?? ''),
 *     operation: 'charge',
 *     onError: (_error, _req, res) => (res.headersSent ? res.destroy() : res.writeHead(500).end()),
 *   },
 *   async (_req: IncomingMessage, res: ServerResponse, { attempt }) => {
 *     await provider.charge(100, { idempotencyKey: attempt?.keyFor('charge') ?? '' })
 *     res.writeHead(201, { 'Content-Type': 'application/json' }).end('{"charged":100}')
 *   },
 * )
 * createServer(charge).listen(3000)
 */
export function idempotent<Req extends NodeRequest, Res extends NodeResponse, Tx>(
  idempotency: Guarding<Tx>,
  options: NodeOptions<Req, Res> & { readonly transaction: true },
  handler: NodeTransactionHandler<Req, Res, Tx>,
): (req: Req, res: Res) => void
export function idempotent<Req extends NodeRequest, Res extends NodeResponse, Tx>(
  idempotency: Guarding<Tx>,
  options: NodeOptions<Req, Res>,
  handler: NodeHandler<Req, Res>,
): (req: Req, res: Res) => void
export function idempotent<Req extends NodeRequest, Res extends NodeResponse, Tx>(
  idempotency: Guarding<Tx>,
  { onError, ...options }: NodeOptions<Req, Res>,
  handler: NodeHandler<Req, Res, never>,
): (req: Req, res: Res) => void {
  const guard = createGuard<Req, Tx>(idempotency, options, { hasHandler: true })
  return (req, given) => {
    // the compatible API of HTTP/2 has all the members that are used here
    const res = given as ServerResponse
    const binding: NodeBinding<Tx> = {
      req: req as IncomingMessage,
      async run(tx) {
        await handler(req, given, { attempt: attemptFor(req), tx } as never)
      },
      fail: (error) => onError(error, req, given),
      send: (response) => sendResponse(res, response),
    }
    if (guard.covers(req.method ?? 'GET')) void serveNode(guard, toExchange(req, res), res, binding)
    else void passOnNode(guard, req, res, binding)
  }
}

/** Members that a parser may have left on a request. */
interface Left {
  readonly body?: unknown
  readonly rawBody?: unknown
}

function toExchange<Req extends NodeRequest>(req: Req, res: ServerResponse): Exchange<Req> {
  const { body: parsed, rawBody: raw } = req as Left
  return {
    method: req.method ?? 'GET',
    target: req.url ?? '/',
    headers: headerFields(req),
    ...givenBody(req as IncomingMessage, { parsed, raw }),
    route: undefined,
    signal: () => closeSignal(res),
    native: req,
  }
}
