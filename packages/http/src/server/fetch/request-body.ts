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
      const bytes = declared > maxBytes ? null : await readUpTo(maxBytes, request.clone().body)
      if (bytes) Object.assign(request, { [READ]: bytes })
      return bytes
    },
  }
}

/** The bytes that a guard has read, on the request itself: a WeakMap would cost each garbage collection more. */
const READ = Symbol('retryproof.read')

const readers = ['body', 'bodyUsed', 'arrayBuffer', 'blob', 'bytes', 'clone', 'formData', 'json', 'text'] as const

/**
 * Lets the body of a request be read once more, for a handler that runs again after a transaction conflict. The request
 * stays the same, with all that frameworks have put on it. Nothing happens to a body that is unread, or not known.
 *
 * @param bytes the body; by default what `requestBody` has read
 *
 * @example
 * import { requestBody, rewindBody } from '@retryproof/http/fetch'
 *
 * const request = new Request('https://example.com/charges', { method: 'POST', body: '{"amount":100}' })
 * await requestBody(request).read?.(2 ** 20)
 * await request.json()
 * rewindBody(request)
 * const { amount } = (await request.json()) as { amount: number }
 */
export function rewindBody(
  request: Request,
  bytes: Uint8Array | undefined = (request as { [READ]?: Uint8Array })[READ],
): void {
  if (!bytes || !(request.bodyUsed || request.body?.locked)) return
  const { url, method, headers, signal } = request
  const copy = new Request(url, { method, headers, signal, body: bytes.slice() })
  for (const name of readers) {
    if (!(name in copy)) continue
    Object.defineProperty(request, name, {
      configurable: true,
      get(): unknown {
        const value: unknown = Reflect.get(copy, name)
        return typeof value === 'function' ? value.bind(copy) : value
      },
    })
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
