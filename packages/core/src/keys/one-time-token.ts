/** One-time tokens: issued by the server, signed, expiring, and redeemed once. */

import type { Reference } from '../api/call.ts'
import { IdempotencyInvalidTokenError } from '../errors.ts'
import type { Digest } from './digest.ts'
import { scopeParts } from './storage-key.ts'

/** The purpose for which a token is issued. */
export type TokenPurpose = Pick<Reference, 'operation' | 'scope'>

/** A token that was issued for this purpose. */
export interface VerifiedToken {
  /** The key under which it is redeemed. No caller can know it, and claim the record by a key of its own. */
  readonly key: string
  /** The end of its life, in milliseconds since the epoch. */
  readonly expiresAt: number
}

const FORMAT = /^rp1\.([0-9a-f-]{36})\.([0-9a-z]{1,11})\.([0-9a-f]{64})$/

/** Issues `rp1.<id>.<end of life>.<signature>`: bound to namespace, operation and scope, which do not stand in it. */
export function issueToken(digest: Digest, namespace: string, purpose: TokenPurpose, expiresInMs: number): string {
  const id = crypto.randomUUID()
  const expires = (Date.now() + expiresInMs).toString(36)
  return `rp1.${id}.${expires}.${sign(digest, namespace, purpose, id, expires)}`
}

/** @throws {@link IdempotencyInvalidTokenError} when the token was not issued here for this purpose */
export function verifyToken(digest: Digest, namespace: string, purpose: TokenPurpose, token: string): VerifiedToken {
  const [, id, expires, signature] = FORMAT.exec(String(token)) ?? []
  if (!id || !expires || !signature) throw new IdempotencyInvalidTokenError('malformed')
  if (!isEqual(sign(digest, namespace, purpose, id, expires), signature))
    throw new IdempotencyInvalidTokenError('forged')
  return { key: `token:${digest('retryproof/token-key', [id])}`, expiresAt: Number.parseInt(expires, 36) }
}

function sign(
  digest: Digest,
  namespace: string,
  { operation, scope }: TokenPurpose,
  id: string,
  expires: string,
): string {
  return digest('retryproof/token', [namespace, operation, ...scopeParts(scope), id, expires])
}

/** Compares in a time that does not depend on how much is equal. */
function isEqual(left: string, right: string): boolean {
  let difference = left.length ^ right.length
  for (let at = 0; at < left.length; at++) difference |= left.charCodeAt(at) ^ right.charCodeAt(at)
  return difference === 0
}
