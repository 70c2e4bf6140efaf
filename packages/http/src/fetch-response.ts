/** Responses of Fetch: held back until they are recorded, or made of what was recorded. */
import type { HandlerAnswer, HeaderField, HttpResponse } from './exchange.ts'
import { type BodyLimits, holdBody, type PassingBody } from './held-body.ts'
import { piecesOf, streamOf } from './web-streams.ts'

export interface HeldResponse {
  readonly answer: HandlerAnswer
  /** What of it is on its way while it is made. */
  readonly passing: PassingBody | undefined
  /** The response for the client, with these headers more. */
  response(headers?: readonly HeaderField[]): Response
}

const none = new Uint8Array()

export async function holdResponse(
  original: Response,
  { method }: Request,
  limits: BodyLimits,
  signal: AbortSignal,
): Promise<HeldResponse> {
  // first, since the default content type is there on some servers only when the body was asked for
  const source = piecesOf(original.body)
  const headers = [...original.headers]
  const { passing, ...held } = await holdBody(source, headers, limits, signal)
  const bytes = 'bytes' in held ? held.bytes : none
  const replayable = !passing && bytes.length <= limits.maxResponseBytes
  const body = replayable && method !== 'HEAD' ? bytes : none
  return {
    answer: { response: { status: original.status, headers, body }, replayable },
    passing,
    response(more = []) {
      const whole = original.body === null ? null : bytes
      const response = new Response(passing ? streamOf(passing.pieces) : whole, original)
      for (const [name, value] of more) response.headers.append(name, value)
      return response
    },
  }
}

export function toResponse({ status, headers, body }: HttpResponse): Response {
  const fields = headers.map(([name, value]): [string, string] => [name, value])
  // without a body where it is empty, since an empty one is given a content type, and refused for 204
  return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers: fields })
}
