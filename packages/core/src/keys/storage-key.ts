/** Storage keys: from the parts of a call to the key that a store sees. */

import { type Reference, unscoped } from '../api/call.ts'
import { remembered } from '../base/remembered.ts'
import { IdempotencyInvalidCallError } from '../errors.ts'
import type { Digest } from './digest.ts'
import { kindOf, requireText } from './key-text.ts'

const MAX_SCOPE_PARTS = 16

/** Characters of the digest that stand for the scope; the others cover all parts. */
const SCOPE_CHARACTERS = 24
const REST_CHARACTERS = 40

/**
 * Returns `<namespace slug>.<operation slug>.<digest>`: at most 131 characters of `[a-z0-9.-]`. The slugs are for eyes and
 * for listings. The digest has 64 hex characters: 24 of a digest of namespace and scope, by which all records of a scope are
 * found, and 40 of a digest of namespace, operation, scope and key.
 *
 * @throws {@link IdempotencyInvalidCallError} when a part is missing, empty, too long or no well-formed text
 */
export function storageKey(digest: Digest, namespace: string, { operation, scope, key }: Reference): string {
  requireText('operation', operation)
  requireText('key', key)
  const parts = scopeParts(scope)
  const hex = digest('retryproof/key', [namespace, operation, ...parts, key]).slice(0, REST_CHARACTERS)
  return `${namespaceSlug(namespace)}.${operationSlug(operation)}.${scopeDigest(digest, namespace, scope)}${hex}`
}

/** Returns the first characters of the digest in every storage key of a scope. */
export function scopeDigest(digest: Digest, namespace: string, scope: Reference['scope']): string {
  const parts = scopeParts(scope)
  const [name] = parts
  if (name !== undefined && parts.length === 1) return singleScopes(digest, namespace).digestOf(name)
  return digestOfScope(digest, namespace, parts)
}

function digestOfScope(digest: Digest, namespace: string, parts: readonly string[]): string {
  return digest('retryproof/scope', [namespace, ...parts]).slice(0, SCOPE_CHARACTERS)
}

interface SingleScopes {
  readonly namespace: string
  digestOf(name: string): string
}

/** The scopes of one name, whose callers come again and again. A digest belongs to one instance, with one namespace. */
const known = new WeakMap<Digest, SingleScopes>()

function singleScopes(digest: Digest, namespace: string): SingleScopes {
  const scopes = known.get(digest)
  if (scopes?.namespace === namespace) return scopes
  const made = { namespace, digestOf: remembered((name) => digestOfScope(digest, namespace, [name])) }
  known.set(digest, made)
  return made
}

/** Returns the parts of a scope. @throws {@link IdempotencyInvalidCallError} unless it is one name, several, or `unscoped` */
export function scopeParts(scope: Reference['scope']): readonly string[] {
  if (scope === unscoped) return []
  const parts = typeof scope === 'string' ? [scope] : scope
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new IdempotencyInvalidCallError(
      'scope',
      `scope: say whose key this is (a text, or a list such as [tenant, user]), or say \`unscoped\` if it is nobody’s in particular; got ${Array.isArray(scope) ? 'an empty list' : kindOf(scope)}`,
    )
  }
  if (parts.length > MAX_SCOPE_PARTS)
    throw new IdempotencyInvalidCallError('scope', `scope: at most ${MAX_SCOPE_PARTS} parts`)
  for (const part of parts) requireText('scope', part)
  return parts
}

/** Returns the form of a namespace in a storage key. */
export const namespaceSlug = remembered((namespace) => slug(namespace, 24))

/** The most characters of an operation's form. */
export const MAX_OPERATION_SLUG = 40

/** The form of every name that has no letter or digit of ASCII. */
export const NAMELESS_SLUG = 'x'

/** Returns the form of an operation in a storage key. Two operations may have one form; their digests differ. */
export const operationSlug = remembered((operation) => slug(operation, MAX_OPERATION_SLUG))

function slug(text: string, limit: number): string {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [NAMELESS_SLUG]
  return words.join('-').slice(0, limit).replace(/-$/, '')
}
