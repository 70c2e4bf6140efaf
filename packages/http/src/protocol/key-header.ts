/** Reads the `Idempotency-Key` header: an RFC 9651 String, or the bare value that most clients send. */
import { IdempotencyInvalidCallError, IdempotencyInvalidOptionError } from '@retryproof/core'
import { isAccident, problemOf } from '@retryproof/core/internal'
import { parseItem } from 'structured-headers'
import { type HeaderField, headerValues } from './exchange.ts'

/** `'lenient'` also takes a bare value, as the same key as its quoted form. */
export type KeySyntax = 'lenient' | 'strict'

const BARE = /^[A-Za-z0-9._~:/+=@-]+$/

/**
 * Gives the key that a request carries; `undefined` when it has no such header. Parameters are ignored.
 *
 * @throws {@link IdempotencyInvalidCallError} when the header is repeated, empty, too long, no key, or of another format
 */
export function keyFromHeaders(
  headers: readonly HeaderField[],
  syntax: KeySyntax,
  format?: KeyFormat,
): string | undefined {
  const [value, ...others] = headerValues(headers, 'idempotency-key')
  if (value === undefined) return undefined
  if (others.length > 0) throw invalid('was sent more than once')
  return requireKey(parse(value.trim(), syntax), format)
}

/** A key has this format: named in words, and as the pattern that it must match. */
export interface KeyFormat {
  readonly words: string
  readonly pattern: RegExp
}

/**
 * @throws {@link IdempotencyInvalidCallError} unless `key` is a text of 1 to 255 characters that has the format, or when it
 * ends in the text of a value that its client did not have
 */
export function requireKey(key: unknown, format?: KeyFormat): string {
  const problem = problemOf(key) ?? accidentOf(key as string)
  if (problem !== null) throw invalid(problem)
  if (format && !format.pattern.test(key as string)) throw invalid(`must be ${format.words}`)
  return key as string
}

/** @throws {@link IdempotencyInvalidOptionError} unless it is `'uuid'` or a pattern */
export function readKeyFormat(format: 'uuid' | RegExp | undefined): KeyFormat | undefined {
  if (format === undefined) return undefined
  if (format === 'uuid') return { words: 'a UUID', pattern: UUID }
  if (!(Object.prototype.toString.call(format) === '[object RegExp]')) {
    throw new IdempotencyInvalidOptionError(
      'keyFormat',
      `must be 'uuid' or a regular expression, got ${String(format)}`,
    )
  }
  // without the flags that make a pattern remember where it last matched
  return {
    words: `of the form ${format.source}`,
    pattern: new RegExp(format.source, format.flags.replace(/[gy]/g, '')),
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The last part of a key, where its parts are told apart by what no word has. */
const LAST_PART = /(?:^|[-_.:/+=@~|, ])([A-Za-z]+|\[object Object\])$/

function accidentOf(key: string): string | null {
  const [, last] = LAST_PART.exec(key) ?? []
  return isAccident(last) ? `must not end in '${last}'` : null
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
    // refused below, without what the client sent
  }
  throw invalid('is not a string as RFC 9651 defines it: check its quotes, backslashes and characters')
}

function invalid(problem: string): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError('key', `The idempotency key ${problem}.`)
}
