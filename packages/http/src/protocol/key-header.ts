/** The `Idempotency-Key` header: an RFC 9651 String, or the bare value that most clients send. */
import { IdempotencyInvalidCallError } from '@retryproof/core'
import { parseItem } from 'structured-headers'
import { type HeaderField, headerValues } from './exchange.ts'

/** `'lenient'` also takes a bare value, as the same key as its quoted form. */
export type KeySyntax = 'lenient' | 'strict'

const MAX_CHARACTERS = 255
const BARE = /^[A-Za-z0-9._~:/+=@-]+$/

/**
 * The key that a request carries; `undefined` when it has no such header. Parameters are ignored.
 *
 * @throws IdempotencyInvalidCallError when the header is repeated, empty, too long or no key
 */
export function keyFromHeaders(headers: readonly HeaderField[], syntax: KeySyntax): string | undefined {
  const [value, ...others] = headerValues(headers, 'idempotency-key')
  if (value === undefined) return undefined
  if (others.length > 0) throw invalid('was sent more than once')
  return requireKey(parse(value.trim(), syntax))
}

/** @throws IdempotencyInvalidCallError unless `key` is a text of 1 to 255 characters */
export function requireKey(key: unknown): string {
  if (typeof key !== 'string') throw invalid('must be a text')
  if (key.length === 0) throw invalid('must not be empty')
  if (key.length > MAX_CHARACTERS) throw invalid(`must have at most ${MAX_CHARACTERS} characters`)
  if (!key.isWellFormed()) throw invalid('must be well-formed text')
  return key
}

function parse(value: string, syntax: KeySyntax): string {
  if (value.startsWith('"')) return parseString(value)
  if (syntax === 'strict') throw invalid('must be a string in double quotes, as RFC 9651 defines it')
  if (value.length > 0 && !BARE.test(value)) {
    throw invalid('must be a string in double quotes, or consist of A-Z a-z 0-9 . _ ~ : / + = @ -')
  }
  return value
}

function parseString(value: string): string {
  try {
    const [item] = parseItem(value)
    if (typeof item === 'string') return item
  } catch {
    // told below, without what the client sent
  }
  throw invalid('is not a string as RFC 9651 defines it: check its quotes, backslashes and characters')
}

function invalid(problem: string): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError('key', `The idempotency key ${problem}.`)
}
