/** The body of a Fetch request. */

import { concatenate } from '../../protocol/bytes.ts'
import type { RequestBody } from '../../protocol/exchange.ts'
import { piecesOf } from './streams.ts'

/**
 * The body of a request, read from a copy, so that the handler finds it as it came.
 *
 * @example
 * import { requestBody } from '@retryproof/http/fetch'
 *
 * const request = new Request('https://example.com/charges', { method: 'POST', body: '{"amount":100}' })
 * const bytes = await requestBody(request).read?.(2 ** 20)
 */
export function requestBody(request: Request): RequestBody {
  if (request.body === null) return { body: new Uint8Array() }
  if (request.bodyUsed) return { body: undefined }
  return {
    body: undefined,
    read: async (maxBytes) => {
      const declared = Number(request.headers.get('content-length') ?? 0)
      return declared > maxBytes ? null : readUpTo(maxBytes, request.clone().body)
    },
  }
}

/** All of a body; null when it is larger. */
export async function readUpTo(maxBytes: number, body: ReadableStream<Uint8Array> | null): Promise<Uint8Array | null> {
  const source = piecesOf(body)
  const pieces: Uint8Array[] = []
  let size = 0
  for (let next = await source.next(); !next.done; next = await source.next()) {
    pieces.push(next.value)
    size += next.value.length
    if (size > maxBytes) {
      // the other copy is not read either, so that this one's end is not waited for
      void source.return?.()
      return null
    }
  }
  return concatenate(pieces)
}
