/** A request that can be sent any number of times, and what tells it from another. */
import { IntentUnsendableError } from '../base/errors.ts'

export interface Sendable {
  readonly url: string
  /** Method, address and body as 64 hexadecimal digits. */
  readonly digest: string
  /** How to ask what came of it: as the same user, and without the body. */
  readonly asking: RequestInit
  /** A new request each time, with the same bytes. */
  request(key: string, signal: AbortSignal): Request
}

type Input = string | URL

/** @throws IntentUnsendableError */
export async function sendable(input: Input, init: RequestInit): Promise<Sendable> {
  const { body } = init
  if (body instanceof ReadableStream) {
    throw new IntentUnsendableError(
      'A stream can be sent once only. Read it first: `await new Response(stream).blob()`.',
    )
  }
  if (!crypto.subtle)
    throw new IntentUnsendableError('Web Crypto is missing: serve the page over https (or from localhost).')
  const { signal: _, ...rest } = init
  // as fetch resolves it: a page may have a <base>
  const url = new URL(input, globalThis.document?.baseURI ?? globalThis.location?.href)
  const original = new Request(url, rest)
  const bytes = new Uint8Array(await original.arrayBuffer())
  const headers = new Headers(original.headers)
  const compared = body instanceof FormData ? await partsOf(body) : bytes
  return {
    url: url.href,
    digest: await digestOf([original.method, url.href, compared]),
    asking: asking(original),
    request(key, signal) {
      headers.set('Idempotency-Key', key)
      return new Request(url, { ...rest, headers, signal, ...(body != null && { body: bytes }) })
    },
  }
}

/** What says who asks is in the credentials and in headers; those of the body stay behind. */
function asking({ headers, credentials, mode }: Request): RequestInit {
  const kept = [...headers].filter(([name]) => !name.startsWith('content-'))
  return { headers: kept, credentials, mode }
}

/** The parts of a form; its bytes have another boundary each time. */
async function partsOf(form: FormData): Promise<string> {
  const parts = [...form].map(async ([name, value]) =>
    typeof value === 'string'
      ? [name, value]
      : [name, value.name, value.type, await digestOf([new Uint8Array(await value.arrayBuffer())])],
  )
  return JSON.stringify(await Promise.all(parts))
}

async function digestOf(parts: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<string> {
  const hashed = new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(withLengths(parts)).arrayBuffer()))
  return Array.from(hashed, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** So that no two lists have the same bytes. */
function withLengths(parts: readonly (string | Uint8Array<ArrayBuffer>)[]): BlobPart[] {
  return parts.flatMap((part) => [`${part.length}:`, part])
}
