/** SHA-256 over parts that cannot run into each other; HMAC-SHA-256 where there is a secret. */
import { frame } from '../base/bytes.ts'
import { nodeCrypto } from '../base/crypto/node-crypto.ts'
import { hmacSha256, sha256 } from '../base/crypto/sha256.ts'
import { IdempotencyInvalidOptionError } from '../errors.ts'

/** Digests parts into 64 lower-case hex characters. `label` keeps digests made for different purposes apart. */
export type Digest = (label: string, parts: readonly (string | Uint8Array)[]) => string

const MIN_SECRET_BYTES = 16
/** Reused, since to allocate an array for each digest costs more than the digest. */
const scratch = new Uint8Array(16_384)
const utf8 = new TextEncoder()

/** @throws {@link IdempotencyInvalidOptionError} when the secret is neither text nor bytes, or has under 16 bytes */
export function createDigest(secret: string | Uint8Array | undefined): Digest {
  const hash = createHash(secret === undefined ? undefined : readSecret(secret))
  return (label, parts) => hash(frame([label, ...parts], scratch))
}

/** Copies the secret, so that its owner may wipe the bytes. */
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

function createHash(key: Uint8Array | undefined): (bytes: Uint8Array) => string {
  const crypto = nodeCrypto()
  if (!crypto) return (bytes) => toHex(key ? hmacSha256(key, bytes) : sha256(bytes))
  if (key) {
    // made once: from plain bytes, each HMAC would make it again
    const secret = crypto.createSecretKey(key)
    return (bytes) => crypto.createHmac('sha256', secret).update(bytes).digest('hex')
  }
  return (bytes) => crypto.hash?.('sha256', bytes, 'hex') ?? crypto.createHash('sha256').update(bytes).digest('hex')
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
