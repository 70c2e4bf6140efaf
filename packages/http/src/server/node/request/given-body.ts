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
 * True for the `{}` that parsers leave of a body whose type is not theirs, which somebody else may have read. body-parser
 * marks what it has parsed, and `{}` may be all that was sent.
 */
function saysNothing(req: IncomingMessage, parsed: unknown): boolean {
  if (typeof parsed !== 'object' || parsed === null || Object.getPrototypeOf(parsed) !== Object.prototype) return false
  const { _body: isParsed, headers } = req as IncomingMessage & { readonly _body?: unknown }
  return Object.keys(parsed).length === 0 && isParsed !== true && headers['content-length'] !== '2'
}

function isBare(parsed: unknown): boolean {
  return typeof parsed === 'object' && parsed !== null && Object.getPrototypeOf(parsed) === null
}
