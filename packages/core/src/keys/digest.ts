/** SHA-256 over parts that cannot run into each other; HMAC-SHA-256 where there is a secret. */
import { frame } from '../base/bytes.ts'
import { nodeCrypto } from '../base/node-crypto.ts'
import { IdempotencyInvalidOptionError } from '../errors.ts'

/**
 * The digest of some parts, as 64 lower-case hex characters. `label` keeps digests made for different purposes apart.
 * Synchronous where the platform can (Node, Bun, Deno), else by Web Crypto.
 */
export type Digest = (label: string, parts: readonly (string | Uint8Array)[]) => string | Promise<string>

const MIN_SECRET_BYTES = 16
/** For what is digested at once: to allocate an array for each digest costs more than the digest. */
const scratch = new Uint8Array(16_384)
const utf8 = new TextEncoder()

/** @throws IdempotencyInvalidOptionError for a secret that is neither text nor bytes, or under 16 bytes */
export function createDigest(secret: string | Uint8Array | undefined): Digest {
  const key = secret === undefined ? undefined : readSecret(secret)
  const hash = nodeHash(key)
  if (hash) return (label, parts) => hash(frame([label, ...parts], scratch))
  const later = webHash(key)
  return (label, parts) => later(frame([label, ...parts]))
}

/** A copy, so that its owner may wipe the bytes. */
function readSecret(secret: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const text = typeof secret === 'string'
  if (!text && !(secret instanceof Uint8Array)) {
    throw new IdempotencyInvalidOptionError('secret', 'must be random bytes, or a text of them')
  }
  const key = text ? utf8.encode(secret) : new Uint8Array(secret)
  if (key.length >= MIN_SECRET_BYTES) return key
  throw new IdempotencyInvalidOptionError(
    'secret',
    `must have at least ${MIN_SECRET_BYTES} random bytes, got ${key.length}`,
  )
}

function nodeHash(key: Uint8Array | undefined): ((bytes: Uint8Array) => string) | undefined {
  const crypto = nodeCrypto()
  if (!crypto) return undefined
  if (key) return (bytes) => crypto.createHmac('sha256', key).update(bytes).digest('hex')
  return (bytes) => crypto.hash?.('sha256', bytes, 'hex') ?? crypto.createHash('sha256').update(bytes).digest('hex')
}

function webHash(key: Uint8Array<ArrayBuffer> | undefined): (bytes: Uint8Array<ArrayBuffer>) => Promise<string> {
  const { subtle } = globalThis.crypto
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  let imported: ReturnType<typeof subtle.importKey> | undefined
  return async (bytes) => {
    if (key) imported ??= subtle.importKey('raw', key, hmac, false, ['sign'])
    const digest = imported ? await subtle.sign('HMAC', await imported, bytes) : await subtle.digest('SHA-256', bytes)
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}
