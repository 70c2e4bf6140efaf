/** Rules for the text of keys, operations and parts of a scope. */
import type { Call } from '../api/call.ts'
import { refuseMistypedMembers } from '../base/options/known-members.ts'
import { IdempotencyInvalidCallError } from '../errors.ts'

/**
 * @throws {@link IdempotencyInvalidCallError} unless `value` is a well-formed text of 1 to 255 characters, or when it is
 * the text of a value that a caller does not have
 */
export function requireText(field: IdempotencyInvalidCallError['field'], value: unknown): void {
  const problem = problemOf(value) ?? (isAccident(value) ? `must not be '${value}'` : null)
  if (problem) throw new IdempotencyInvalidCallError(field, `${field}: ${problem}`)
}

/** @throws {@link IdempotencyInvalidCallError} when a call is no object that could name one, or a member of it is mistyped */
export function requireReference(value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    throw new IdempotencyInvalidCallError(
      'key',
      `call: must be an object with operation, scope and key, got ${kindOf(value)}`,
    )
  }
  refuseMistypedMembers('call', value, MEMBERS)
}

const MEMBERS: ReadonlySet<string> = new Set<keyof Call>(['operation', 'scope', 'key', 'payload', 'request', 'signal'])

/** The most characters of a key, of each part of a scope, and of an operation. */
export const MAX_CHARACTERS = 255

/** Texts that JavaScript gives to what is not there. All callers with that bug would share one key. */
const ACCIDENTS: readonly unknown[] = ['undefined', 'null', 'NaN', '[object Object]']

/** Tells whether a value is the text of one that its caller does not have: `String(undefined)`, for instance. */
export function isAccident(value: unknown): value is string {
  // a list, since a set digests each text that it is asked for
  return ACCIDENTS.includes(value)
}

/** Says why a value cannot be a key, an operation or a part of a scope; null where it can. */
export function problemOf(value: unknown): string | null {
  if (typeof value !== 'string') return `must be a text, got ${kindOf(value)}`
  if (value.length === 0) return 'must not be empty'
  if (value.length > MAX_CHARACTERS) return `must have at most ${MAX_CHARACTERS} characters, got ${value.length}`
  return value.isWellFormed() ? null : 'has a lone surrogate, which has no UTF-8 form'
}

/** Names the type of a value for a message: `typeof`, but for null. */
export function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}
