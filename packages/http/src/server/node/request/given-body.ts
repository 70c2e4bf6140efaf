/** Finds the body of a Node request among what the application's middleware left of it. */
import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../../../protocol/exchange.ts'
import { requestBody } from './request-body.ts'
import { uploadedFiles } from './uploaded-files.ts'

/** Bodies that middleware left, each in the usual place of its framework. */
export interface LeftBody {
  /** The parsed body. */
  readonly parsed: unknown
  /** The body as it was sent, where a parser kept that. */
  readonly raw?: unknown
  /** Files of a multipart body: one, a list, or by field. */
  readonly files?: readonly unknown[]
}

/**
 * The body of a request, in the most exact form that is left.
 *
 * @example
 * import { givenBody } from '@retryproof/http/node'
 * import type { Request } from 'express'
 *
 * const bodyOf = (req: Request) => givenBody(req, { parsed: req.body })
 */
export function givenBody(req: IncomingMessage, { parsed, raw, files = [] }: LeftBody): RequestBody {
  const sent = typeof raw === 'string' ? Buffer.from(raw) : raw
  if (sent instanceof Uint8Array && isWhole(req, sent)) return { body: sent }
  // multer makes bodies without a prototype, and puts every file beside them
  const found = uploadedFiles(...files) ?? (isBare(parsed) ? [] : undefined)
  if (found) return { ...requestBody(req, parsed), files: found }
  return requestBody(req, saysNothing(req, parsed) ? undefined : parsed)
}

/** False where middleware still gathers the body from `data` events: two requests that have not come yet look alike. */
function isWhole({ readableEnded, headers }: IncomingMessage, sent: Uint8Array): boolean {
  if (readableEnded) return true
  return headers['content-encoding'] === undefined && Number(headers['content-length'] ?? NaN) === sent.length
}

/**
 * True for the `{}` that parsers leave of a body whose type is not theirs, which somebody else may have read. `{}` is also
 * what parsers make of a body like `{ }`. body-parser 1 marks what it has parsed; that of Express 5 leaves `{}` of nothing
 * else.
 */
function saysNothing(req: ExpressRequest, parsed: unknown): boolean {
  if (typeof parsed !== 'object' || parsed === null || Object.getPrototypeOf(parsed) !== Object.prototype) return false
  const { _body: isParsed, headers } = req
  if (Object.keys(parsed).length > 0 || isParsed === true || headers['content-length'] === '2') return false
  return !(isOfExpress5(req) && PARSED_TYPES.test(headers['content-type'] ?? ''))
}

/** The members that Express and body-parser 1 give a request. */
interface ExpressRequest extends IncomingMessage {
  readonly _body?: unknown
  readonly app?: { readonly lazyrouter?: unknown; readonly router?: unknown }
}

/** Express 4 makes its router by `lazyrouter`, and throws for the name `router`. */
function isOfExpress5({ app }: ExpressRequest): boolean {
  return typeof app === 'function' && !('lazyrouter' in app) && 'router' in app
}

/** JSON and forms. */
const PARSED_TYPES = /^(application\/|[^;]*\+)(json|x-www-form-urlencoded)\b/i

function isBare(parsed: unknown): boolean {
  return typeof parsed === 'object' && parsed !== null && Object.getPrototypeOf(parsed) === null
}
