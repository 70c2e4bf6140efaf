/** What of a request must be the same when its key is sent again. */
import { IdempotencyInvalidCallError } from '@retryproof/core'
import { canonicalize } from '@retryproof/core/internal'
import { joinBytes } from '../../protocol/bytes.ts'
import { type Exchange, type HeaderField, mediaTypeOf } from '../../protocol/exchange.ts'
import { Refusal } from '../../protocol/refusal.ts'
import type { ReadBody } from './read-body.ts'

/**
 * Which members of the body count: only those of `pick`, or all but those of `omit`. Dots lead into objects
 * (`customer.id`). Method, target and media type always count.
 */
export type FingerprintOptions =
  | { readonly pick: readonly string[]; readonly omit?: never }
  | { readonly omit: readonly string[]; readonly pick?: never }

const utf8 = new TextEncoder()

/**
 * The payload that the core fingerprints. JSON counts by its value, parsed or not, so that neither the order of its
 * members nor that of middleware changes anything; where its value would hide a difference, and for every other
 * media type, the bytes count.
 *
 * @throws IdempotencyInvalidCallError for a body that has no text
 */
export function describeRequest(
  { method, target }: Pick<Exchange<unknown>, 'method' | 'target'>,
  body: ReadBody,
  fingerprint: FingerprintOptions | undefined,
): string | Uint8Array {
  const { mediaType } = body
  const head = (mode: string) => `${JSON.stringify([mode, fingerprint ?? null, method, target, mediaType])}\n`
  if (!('value' in body)) return joinBytes(utf8.encode(head('bytes')), body.bytes)
  return head('json') + jsonText(fingerprint ? select(body.value, fingerprint) : body.value)
}

/** @throws Refusal for a body that differs each time it is sent, where nobody says what of it counts */
export function requireCountable(headers: readonly HeaderField[], fingerprint: FingerprintOptions | undefined): void {
  if (fingerprint?.pick || !mediaTypeOf(headers).startsWith('multipart/')) return
  throw new Refusal(
    'body-unsupported',
    'A multipart body looks different each time it is sent: this resource takes none, or must name the fields that count.',
  )
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
    throw new IdempotencyInvalidCallError('payload', `The body cannot be told from another: ${String(error)}`)
  }
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
