/** The answer of a handler, as it is to be recorded. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HttpResponse } from '../../../protocol/exchange.ts'
import { recordedHeaders, removedHeaders } from '../headers.ts'
import { isHttp2 } from './response-seal.ts'
import { concatenate, type PlainHeaders, plainFields } from './write-arguments.ts'

/** @param chunks none where the body is not kept */
export function recordedResponse(
  res: ServerResponse,
  status: number,
  given: PlainHeaders | undefined,
  before: OutgoingHttpHeaders,
  chunks: readonly Uint8Array[],
): HttpResponse {
  // HTTP/2 drops the body of a 205 as well
  const isBodiless = status === 204 || status === 304 || (status === 205 && isHttp2(res)) || res.req.method === 'HEAD'
  const body = isBodiless || chunks.length === 0 ? new Uint8Array() : concatenate(chunks)
  const headers = given ? plainFields(given) : recordedHeaders(res, before)
  return { status, headers, ...removedHeaders(res, before), body }
}
