/** A request that can be sent any number of times, and its digest. */
import { IntentUnsendableError } from '../base/errors.ts'
import { inTime } from '../base/limit.ts'
import { isReactNative } from '../base/react-native.ts'

export type Input = Parameters<typeof fetch>[0]

export interface Sendable {
  readonly url: string
  /** Method, address and body as 64 hexadecimal digits. */
  readonly digest: string
  readonly headers: Headers
  /** Makes a new request with the same bytes and the value of the key's header. */
  request(key: string, signal: AbortSignal): Request
  /** Makes a request for its answer at another address: by the same user, without the body and the key. */
  ask(address: URL, signal: AbortSignal): Request
}

interface SendOptions {
  readonly keyHeader: string
  readonly timeoutMs: number
}

/** @throws {@link IntentUnsendableError} when it cannot be sent twice, or not with a key */
export async function sendable(
  input: Input,
  init: RequestInit,
  { keyHeader, timeoutMs }: SendOptions,
): Promise<Sendable> {
  refuseUnsendable(init.body, init.mode ?? (isRequest(input) ? input.mode : undefined))
  const { signal: _, ...rest } = init
  const given = isRequest(input) ? await membersOf(input, timeoutMs) : { method: 'POST' }
  // as fetch resolves it: a page may have a <base>
  const url = isRequest(input)
    ? input.url
    : new URL(input, globalThis.document?.baseURI ?? globalThis.location?.href).href
  const all = { ...given, ...rest }
  const original = new Request(url, all)
  const { method, headers, credentials, mode } = original
  const text = typeof init.body === 'string' ? init.body : undefined
  const bytes = text === undefined ? new Uint8Array(await original.arrayBuffer()) : new TextEncoder().encode(text)
  const form = await formOf(init.body, headers, bytes)
  // a Blob, since undici cannot send bytes again where a 307 asks for it; a text stays one, since React Native makes no Blob of bytes
  const body = bytes.length > 0 ? (text ?? new Blob([bytes])) : null
  return {
    url: original.url,
    headers,
    digest: await digestOf([method, original.url, form ?? bytes]),
    request(key, signal) {
      const sent = new Headers(headers)
      sent.set(keyHeader, key)
      return new Request(url, { ...all, headers: sent, body, signal })
    },
    ask(address, signal) {
      const kept = new Headers([...headers].filter(([name]) => !name.startsWith('content-')))
      kept.delete(keyHeader)
      return new Request(address, { headers: kept, credentials, mode, signal })
    },
  }
}

/** @throws {@link IntentUnsendableError} when it is a stream or a plain object, or a browser would drop its key */
function refuseUnsendable(body: RequestInit['body'], mode: RequestMode | undefined): void {
  if (typeof body === 'object' && body !== null && (Symbol.asyncIterator in body || 'getReader' in body)) {
    throw new IntentUnsendableError(
      'A stream can be sent once only. Read it first: `await new Response(stream).blob()`.',
    )
  }
  if (body?.constructor === Object || Array.isArray(body)) {
    throw new IntentUnsendableError('An object is no body. Send `JSON.stringify(body)`.')
  }
  if (mode === 'no-cors') {
    throw new IntentUnsendableError(
      "`mode: 'no-cors'` sends no key. Let the server allow the header (CORS), and leave `mode` out.",
    )
  }
  if (!globalThis.crypto?.subtle) {
    throw new IntentUnsendableError(
      isReactNative()
        ? 'Web Crypto is missing. In React Native, call install() of react-native-quick-crypto first.'
        : 'Web Crypto is missing. Serve the page over https or from localhost.',
    )
  }
}

const MEMBERS = [
  'method',
  'cache',
  'credentials',
  'integrity',
  'keepalive',
  'mode',
  'redirect',
  'referrer',
  'referrerPolicy',
] as const

/** Reads a Request by its public members: it may be of another implementation than the global one. */
async function membersOf(request: Request, timeoutMs: number): Promise<RequestInit> {
  const body = await readInTime(request, timeoutMs)
  const members = MEMBERS.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]]))
  return { ...Object.fromEntries(members), headers: [...request.headers], ...(body.byteLength > 0 && { body }) }
}

async function readInTime(request: Request, ms: number): Promise<ArrayBuffer> {
  try {
    return await inTime(request.arrayBuffer(), ms)
  } catch (cause) {
    throw new IntentUnsendableError('The body of the request cannot be read to its end.', { cause })
  }
}

export function isRequest(input: Input): input is Request {
  return typeof input === 'object' && 'headers' in input
}

/** The parts of a form: its bytes have another boundary each time. `undefined` for any other body. */
async function formOf(body: RequestInit['body'], headers: Headers, bytes: BlobPart): Promise<string | undefined> {
  if (body instanceof FormData) return partsOf(body)
  if (body != null || !headers.get('Content-Type')?.startsWith('multipart/form-data')) return undefined
  try {
    return await partsOf(await new Response(bytes, { headers }).formData())
  } catch {
    return undefined
  }
}

async function partsOf(form: FormData): Promise<string> {
  const parts = [...form].map(async ([name, value]) =>
    typeof value === 'string'
      ? [name, value]
      : [name, value.name, value.type, await digestOf([new Uint8Array(await value.arrayBuffer())])],
  )
  return JSON.stringify(await Promise.all(parts))
}

async function digestOf(parts: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<string> {
  const hashed = new Uint8Array(await crypto.subtle.digest('SHA-256', withLengths(parts)))
  return Array.from(hashed, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The bytes of all parts, each after its length, so that no two lists have the same bytes. */
function withLengths(parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder()
  const pieces = parts.flatMap((part) => {
    const length = encoder.encode(`${part.length}:`)
    return [length, typeof part === 'string' ? encoder.encode(part) : part]
  })
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
