/** One-time tokens: issued by the server, signed, expiring, and redeemed once. */

import type { Reference } from '../api/call.ts'
import { IdempotencyInvalidTokenError } from '../errors.ts'
import type { Digest } from './digest.ts'
import { scopeParts } from './storage-key.ts'

/** What a token is good for. */
export type TokenPurpose = Pick<Reference, 'operation' | 'scope'>

/** A token that was issued for this purpose. */
export interface VerifiedToken {
  /** The key under which it is redeemed. */
  readonly key: string
  /** What is left of its life, in milliseconds; negative once it is over. */
  readonly remainingMs: number
}

const FORMAT = /^rp1\.([0-9a-f-]{36})\.([0-9a-z]{1,11})\.([0-9a-f]{64})$/

/** `rp1.<id>.<end of life>.<signature>`: bound to namespace, operation and scope, which do not stand in it. */
export async function issueToken(
  digest: Digest,
  namespace: string,
  purpose: TokenPurpose,
  expiresInMs: number,
): Promise<string> {
  const id = crypto.randomUUID()
  const expires = (Date.now() + expiresInMs).toString(36)
  return `rp1.${id}.${expires}.${await sign(digest, namespace, purpose, id, expires)}`
}

/** @throws IdempotencyInvalidTokenError for what was not issued here for this purpose */
export async function verifyToken(
  digest: Digest,
  namespace: string,
  purpose: TokenPurpose,
  token: string,
): Promise<VerifiedToken> {
  const [, id, expires, signature] = FORMAT.exec(String(token)) ?? []
  if (!id || !expires || !signature) throw new IdempotencyInvalidTokenError('malformed')
  if (!isEqual(await sign(digest, namespace, purpose, id, expires), signature))
    throw new IdempotencyInvalidTokenError('forged')
  return { key: `token:${id}`, remainingMs: Number.parseInt(expires, 36) - Date.now() }
}

async function sign(
  digest: Digest,
  namespace: string,
  { operation, scope }: TokenPurpose,
  id: string,
  expires: string,
): Promise<string> {
  return digest('retryproof/token', [namespace, operation, ...scopeParts(scope), id, expires])
}

/** In a time that does not tell how much of it was right. */
function isEqual(left: string, right: string): boolean {
  let difference = left.length ^ right.length
  for (let at = 0; at < left.length; at++) difference |= left.charCodeAt(at) ^ right.charCodeAt(at)
  return difference === 0
}
