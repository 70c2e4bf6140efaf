/** Responses of Fetch: held back until they are recorded, or made of what was recorded. */

import { type BodyLimits, holdBody, type PassingBody } from '../../guard/answer/held-body.ts'
import { changedFields, type HandlerAnswer, type HeaderField, type HttpResponse } from '../../protocol/exchange.ts'
import { piecesOf, streamOf } from './streams.ts'

export interface HeldResponse {
  readonly answer: HandlerAnswer
  /** What of it is on its way while it is made. */
  readonly passing: PassingBody | undefined
  /** The response for the client, with these headers more. */
  response(headers?: readonly HeaderField[]): Response
}

export interface Holding {
  readonly method: string
  readonly limits: BodyLimits
  /** Aborts when the handler had all the time that it may take. */
  readonly signal: AbortSignal
  /** Headers that were set before the binding, and are not recorded. */
  readonly before?: readonly HeaderField[]
  /** The body, where that is known; else it is read from the response. */
  readonly made?: string | Uint8Array | null | undefined
}

const none = new Uint8Array()
const utf8 = new TextEncoder()

/** Holds a handler's response back, unless it is a stream, of which it holds back the end. */
export async function holdResponse(original: Response, holding: Holding): Promise<HeldResponse> {
  const { method, limits, signal, before = [], made } = holding
  // first, since the default content type is there on some servers only when the body was asked for
  const source = made === undefined ? piecesOf(original.body) : undefined
  const headers = [...original.headers]
  const { passing, ...held } = source
    ? await holdBody(source, headers, limits, signal)
    : { passing: undefined, bytes: bytesOf(made) }
  const bytes = 'bytes' in held ? held.bytes : none
  const replayable = !passing && !limits.stream && bytes.length <= limits.maxResponseBytes
  const response = {
    status: original.status,
    headers: changedFields(headers, before),
    body: replayable && method !== 'HEAD' ? bytes : none,
  }

  function own(): Response {
    if (!source) return original
    if (passing) return new Response(streamOf(passing.pieces), original)
    return new Response(original.body === null ? null : new Uint8Array(bytes), original)
  }

  return {
    answer: { response, replayable },
    passing,
    response(more = []) {
      const given = own()
      for (const [name, value] of more) given.headers.append(name, value)
      return given
    },
  }
}

function bytesOf(made: Holding['made']): Uint8Array {
  return typeof made === 'string' ? utf8.encode(made) : (made ?? none)
}

/**
 * A response of what was recorded, or of a problem.
 *
 * @param before headers that were set before the binding
 */
export function toResponse({ status, headers, body }: HttpResponse, before: readonly HeaderField[] = []): Response {
  const own = new Set(headers.map(([name]) => name.toLowerCase()))
  const fields = [...before.filter(([name]) => !own.has(name)), ...headers] as [string, string][]
  // without a body where it is empty, since an empty one is given a content type, and refused for 204
  return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers: fields })
}

/** A response, and when the server begins to send it: from then on the framework is done with the request. */
export function toldResponse({ body, ...head }: HttpResponse, onSending: () => void): Response {
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(body)
        controller.close()
        onSending()
      },
      cancel: onSending,
    },
    { highWaterMark: 0 },
  )
  const length: HeaderField = ['Content-Length', String(body.length)]
  return new Response(stream, toResponse({ ...head, headers: [...head.headers, length], body: none }))
}
