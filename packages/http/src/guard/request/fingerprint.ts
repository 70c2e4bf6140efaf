/** Decides which requests are the same: what of a request must not differ when its key is sent again. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { canonicalAscii, canonicalText, isPromise, type MaybePromise } from '@retryproof/core/internal'
import { joinBytes } from '../../protocol/bytes.ts'
import { type Exchange, type HeaderField, mediaTypeOf } from '../../protocol/exchange.ts'
import { Refusal } from '../../protocol/refusal.ts'
import { isJson } from './body-headers.ts'
import type { FingerprintMembers } from './fingerprint-option.ts'
import { markDigits, valueText } from './parsed-body-text.ts'
import type { ReadBody } from './read-body.ts'
import { select } from './select.ts'

const utf8 = new TextEncoder()

/**
 * The payload that the core digests, by the members of the body. JSON counts by its value, parsed or not, so that neither
 * the order of its members nor that of middleware changes anything; a body that no parser has read counts by its bytes.
 * A body without the members of `omit` has the same payload with and without it.
 *
 * @throws {@link IdempotencyInvalidOptionError} for a parsed body that nobody can look into
 * @throws {@link IdempotencyInvalidCallError} for a body that is nested too deeply
 */
export function describeRequest(
  { method, target }: Pick<Exchange<unknown>, 'method' | 'target'>,
  body: ReadBody,
  members: FingerprintMembers | undefined,
): MaybePromise<string | Uint8Array> {
  const { mediaType, charset, coding } = body.form

  function describe(text: string | undefined): string | Uint8Array {
    const mode = text === undefined ? 'bytes' : members?.pick ? { pick: sorted(members.pick) } : 'value'
    const head = `${JSON.stringify([mode, method, target, mediaType, charset, coding])}\n`
    return text === undefined ? joinBytes(utf8.encode(head), body.bytes) : head + text
  }

  const text = members && isSelective(members) ? selectedText(body, members) : wholeText(body)
  return isPromise(text) ? text.then(describe) : describe(text)
}

/**
 * The payload that the core digests, by what a function of the application gave.
 *
 * @throws {@link IdempotencyInvalidOptionError} for `undefined`, and for what nobody can look into
 */
export async function describeGiven({ method }: Pick<Exchange<unknown>, 'method'>, given: unknown): Promise<string> {
  if (given !== undefined) return `${JSON.stringify(['given', method])}\n${await valueText(given)}`
  throw new IdempotencyInvalidOptionError(
    'fingerprint',
    'gave undefined, which would make all requests the same: return what counts, or null where nothing does',
  )
}

/** The payload of a request whose key was made of what counts. */
export function describeContentKey(key: string): string {
  return `${JSON.stringify(['content-key'])}\n${key}`
}

/** @throws {@link Refusal} for a multipart body where nobody says what of it counts: each sending has another boundary */
export function requireCountable(headers: readonly HeaderField[], members: FingerprintMembers | undefined): void {
  if (members?.pick || !mediaTypeOf(headers).startsWith('multipart/')) return
  throw new Refusal(
    'body-unsupported',
    'A multipart body looks different each time it is sent: this resource takes none, or must name the fields that count.',
  )
}

function isSelective({ pick, omit }: FingerprintMembers): boolean {
  return pick !== undefined || omit.length > 0
}

function wholeText(body: ReadBody): MaybePromise<string | undefined> {
  if ('value' in body) return valueText(body.value)
  return isJson(body.form.mediaType) ? (canonicalAscii(body.bytes) ?? orNothing(body.json, canonicalText)) : undefined
}

/** Undefined where the bytes have to count: no JSON, or JSON that has a member twice, of which parsers take this or that. */
async function selectedText(body: ReadBody, members: FingerprintMembers): Promise<string | undefined> {
  const { json, files, form } = body
  if (json === undefined) {
    if ('value' in body) return valueText(await select(body.value, files, members, form))
    if (form.mediaType !== 'application/x-www-form-urlencoded') return undefined
    return valueText(await select(new URLSearchParams(new TextDecoder().decode(body.bytes)), files, members, form))
  }
  let isAmbiguous = false
  const repeated = () => {
    isAmbiguous = true
  }
  const text = orNothing(json, (source) => canonicalText(source, { number: markDigits, repeated }))
  if (text === undefined || isAmbiguous) return undefined
  return valueText(await select(JSON.parse(text), files, members, form))
}

/** Undefined for what is no JSON. */
function orNothing(json: string | undefined, write: (json: string) => string): string | undefined {
  try {
    return json === undefined ? undefined : write(json)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}
