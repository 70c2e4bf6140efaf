/** What of a request must be the same when its key is sent again. */
import { canonicalize, InvalidCallError, InvalidOptionError } from '@retryproof/core'
import { type Exchange, mediaTypeOf, type RequestBody } from './exchange.ts'
import { parseFaithfulJson } from './faithful-json.ts'
import type { ResolvedOptions } from './read-options.ts'
import { Refusal } from './refusal.ts'

/**
 * Which members of the body count: only those of `pick`, or all but those of `omit`. Dots lead into objects
 * (`customer.id`). Method, target and media type always count.
 */
export type FingerprintOptions =
  | { readonly pick: readonly string[]; readonly omit?: never }
  | { readonly omit: readonly string[]; readonly pick?: never }

/** A body counts by its value where it has one, else by its bytes. */
type Body = { readonly value: unknown } | { readonly bytes: Uint8Array }

const utf8 = new TextEncoder()

/**
 * The payload that the core fingerprints. JSON counts by its value, parsed or not, so that neither the order of its
 * members nor that of middleware changes anything; where its value would hide a difference, and for every other
 * media type, the bytes count.
 *
 * @throws Refusal for a body that is too large or that differs each time, InvalidCallError for one that has no text,
 * InvalidOptionError when the body was consumed before
 */
export async function describeRequest<Native>(
  exchange: Exchange<Native>,
  { fingerprint, maxRequestBytes }: Pick<ResolvedOptions<Native>, 'fingerprint' | 'maxRequestBytes'>,
): Promise<string | Uint8Array> {
  const mediaType = mediaTypeOf(exchange.headers)
  if (mediaType.startsWith('multipart/') && !fingerprint?.pick) {
    throw new Refusal(
      'body-unsupported',
      'A multipart body looks different each time it is sent: this resource takes none, or must name the fields that count.',
    )
  }
  const body = await readBody(exchange, mediaType, maxRequestBytes)
  const head = (mode: string) =>
    `${JSON.stringify([mode, fingerprint ?? null, exchange.method, exchange.target, mediaType])}\n`
  if ('bytes' in body) return joined(head('bytes'), body.bytes)
  return head('json') + jsonText(fingerprint ? select(body.value, fingerprint) : body.value)
}

async function readBody(exchange: RequestBody, mediaType: string, maxBytes: number): Promise<Body> {
  const { parsed } = exchange
  const bytes = typeof parsed === 'string' ? utf8.encode(parsed) : parsed instanceof Uint8Array ? parsed : exchange.body
  const read = bytes ?? (parsed === undefined ? await exchange.read?.(maxBytes) : undefined)
  if (read === null) throw new Refusal('body-too-large', `The body must have at most ${maxBytes} bytes.`)
  if (read) return (isJson(mediaType) && parseFaithfulJson(read)) || { bytes: read }
  if (parsed !== undefined) return { value: parsed }
  throw new InvalidOptionError(
    'fingerprint',
    'the body was consumed before idempotent(), and nothing of it was left: put a body parser there, or let it come later',
  )
}

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}

/** Canonical JSON; for what has no canonical form (lone surrogates, infinities) the text that JSON has for it. */
function jsonText(value: unknown): string {
  try {
    return canonicalize(value)
  } catch {
    return plainJsonText(value)
  }
}

function plainJsonText(value: unknown): string {
  try {
    return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}` : item))
  } catch (error) {
    throw new InvalidCallError('payload', `The body cannot be told from another: ${String(error)}`)
  }
}

function joined(head: string, body: Uint8Array): Uint8Array {
  const start = utf8.encode(head)
  const bytes = new Uint8Array(start.length + body.length)
  bytes.set(start)
  bytes.set(body, start.length)
  return bytes
}

/** The members that count, each with its path, so that nothing of the client's names a property of ours. */
function select(value: unknown, { pick, omit }: FingerprintOptions): unknown {
  if (pick) return pick.map((path) => [path, memberAt(value, path.split('.'))])
  return omit.reduce((rest, path) => without(rest, path.split('.')), value)
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value === undefined ? [] : [value]
  return isObject(value) && Object.hasOwn(value, name) ? memberAt(value[name], rest) : []
}

function without(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path
  if (!isObject(value) || name === undefined || !Object.hasOwn(value, name)) return value
  const members = Object.entries(value)
  return Object.fromEntries(
    members.flatMap(([member, item]) =>
      member !== name ? [[member, item]] : rest.length === 0 ? [] : [[member, without(item, rest)]],
    ),
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
