/** Encryption of stored values: AES-256-GCM, bound to the record. */

import type { Codec, CodecContext } from '../api/serialization.ts'
import { concat, frame } from '../base/bytes.ts'
import { type NodeCrypto, nodeCrypto } from '../base/crypto/node-crypto.ts'
import { assertKnownOptions } from '../base/options/known-options.ts'
import { IdempotencyInvalidOptionError } from '../errors.ts'

/** Options of `encrypted`. */
export interface EncryptionOptions {
  /** Keys of 32 random bytes, by an id of 1 to 64 characters that stands in each record. Keep old ones to read with. */
  readonly keys: Readonly<Record<string, Uint8Array>>
  /** The id of the key to write with. @default the last one of `keys` */
  readonly current?: string
  /**
   * Reads records that nothing encrypted too: while those from before the encryption are still kept, and no longer,
   * since whoever can write to the store can plant such a record. @default false
   */
  readonly acceptPlaintext?: boolean
}

interface Aes {
  seal(key: Uint8Array, iv: Uint8Array, data: Uint8Array, bound: Uint8Array): Uint8Array | Promise<Uint8Array>
  open(key: Uint8Array, iv: Uint8Array, data: Uint8Array, bound: Uint8Array): Uint8Array | Promise<Uint8Array>
}

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const utf8 = new TextEncoder()
const text = new TextDecoder()

/**
 * Encrypts values and requests with AES-256-GCM. Binds the bytes to the storage key, the kind of value, the fingerprint and
 * the header of the record, so that nothing decrypts when it is moved to another record or relabelled. Refuses records
 * that are not encrypted. Needs the instance's `secret`.
 *
 * The id of the key stands before the bytes: to rotate, add a key, and drop the old one after the longest retention. Nonces
 * are random: rotate before 2^32 values were encrypted with one key.
 *
 * @example
 * import { createIdempotency, encrypted } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * export function createShop(secret: Uint8Array, key: Uint8Array) {
 *   const codecs = [encrypted({ keys: { 'key-1': key } })]
 *   return createIdempotency({ store: memoryStore(), namespace: 'shop', secret, codecs })
 * }
 *
 * @throws {@link IdempotencyInvalidOptionError} when a key has not 32 bytes, or the current one is missing
 */
export function encrypted(options: EncryptionOptions): Codec {
  assertKnownOptions(options, { keys: true, current: true, acceptPlaintext: true })
  const { keys, current = Object.keys(keys).at(-1), acceptPlaintext = false } = options
  const known = new Map(Object.entries(keys).map(([id, key]) => [id, requireKey(id, key)]))
  const currentKey = current === undefined ? undefined : known.get(current)
  if (current === undefined || !currentKey) throw new IdempotencyInvalidOptionError('keys', 'must have the current key')
  const crypto = nodeCrypto()
  const aes = crypto ? nodeAes(crypto) : webAes()
  const head = utf8.encode(current)

  return {
    id: 'aes256gcm',
    encrypts: true,
    acceptsPlaintext: acceptPlaintext,
    encode(bytes, context) {
      const iv = globalThis.crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const sealed = aes.seal(currentKey, iv, bytes, boundTo(context, current))
      const finish = (data: Uint8Array) => concat([Uint8Array.of(head.length), head, iv, data])
      return sealed instanceof Uint8Array ? finish(sealed) : sealed.then(finish)
    },
    decode(bytes, context) {
      const start = 1 + (bytes[0] ?? 0)
      const id = text.decode(bytes.subarray(1, start))
      const key = known.get(id)
      if (!key)
        throw new TypeError(`it is encrypted with key '${id}', which is not among ${[...known.keys()].join(', ')}`)
      const iv = bytes.subarray(start, start + IV_BYTES)
      return aes.open(key, iv, bytes.subarray(start + IV_BYTES), boundTo(context, id))
    },
  }
}

function boundTo({ key, kind, fingerprint, header }: CodecContext, keyId: string): Uint8Array {
  return frame([key, kind, fingerprint, header, keyId])
}

function requireKey(id: string, key: Uint8Array): Uint8Array {
  const length = utf8.encode(id).length
  if (length < 1 || length > 64)
    throw new IdempotencyInvalidOptionError('keys', `'${id}' must be an id of 1 to 64 bytes`)
  if (key instanceof Uint8Array && key.length === KEY_BYTES) return key.slice()
  throw new IdempotencyInvalidOptionError('keys', `'${id}' must have ${KEY_BYTES} random bytes`)
}

function nodeAes(crypto: NodeCrypto): Aes {
  const algorithm = 'aes-256-gcm'
  return {
    seal(key, iv, data, bound) {
      const cipher = crypto.createCipheriv(algorithm, key, iv)
      cipher.setAAD(bound)
      return concat([cipher.update(data), cipher.final(), cipher.getAuthTag()])
    },
    open(key, iv, data, bound) {
      // Node takes tags of 4 bytes, which can be guessed
      if (data.length < TAG_BYTES) throw new TypeError('it is too short to be encrypted')
      const decipher = crypto.createDecipheriv(algorithm, key, iv, { authTagLength: TAG_BYTES })
      decipher.setAAD(bound)
      decipher.setAuthTag(data.subarray(-TAG_BYTES))
      return concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()])
    },
  }
}

function webAes(): Aes {
  const { subtle } = globalThis.crypto
  const parameters = (iv: Uint8Array, bound: Uint8Array) => ({
    name: 'AES-GCM',
    iv: iv.slice(),
    additionalData: bound.slice(),
  })
  const imported = (key: Uint8Array) => subtle.importKey('raw', key.slice(), 'AES-GCM', false, ['encrypt', 'decrypt'])
  return {
    seal: async (key, iv, data, bound) =>
      new Uint8Array(await subtle.encrypt(parameters(iv, bound), await imported(key), data.slice())),
    open: async (key, iv, data, bound) =>
      new Uint8Array(await subtle.decrypt(parameters(iv, bound), await imported(key), data.slice())),
  }
}
