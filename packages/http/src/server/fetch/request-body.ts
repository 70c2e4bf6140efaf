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
 * Keeps the body of a request for a handler that runs again after a transaction conflict. Gives the function that lets it
 * be read once more, to be called before each further run. The request stays the same, with all that frameworks have put
 * on it.
 *
 * @param elsewhere gives the body, where a server has read it past the request
 *
 * @example
 * import { keepBody } from '@retryproof/http/fetch'
 *
 * const request = new Request('https://example.com/charges', { method: 'POST', body: '{"amount":100}' })
 * const rewind = keepBody(request)
 * await request.json()
 * await rewind()
 * const { amount } = (await request.json()) as { amount: number }
 */
export function keepBody(
  request: Request,
  elsewhere: () => Uint8Array | undefined = () => undefined,
): () => Promise<void> {
  const known = () => elsewhere() ?? (request as { [READ]?: Uint8Array })[READ]
  const isKept = known() !== undefined || request.body === null || isSpent(request)
  // a fingerprint of something else leaves the body unread
  const copy = isKept ? undefined : request.clone()
  let bytes: Uint8Array | undefined
  return async () => {
    bytes ??= known() ?? (copy && new Uint8Array(await copy.arrayBuffer()))
    if (bytes && isSpent(request)) rewindBody(request, bytes)
  }
}

function isSpent({ body, bodyUsed }: Request): boolean {
  return bodyUsed || body?.locked === true
}

function rewindBody(request: Request, bytes: Uint8Array): void {
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
