/** Compression of what is stored. */

import type { Codec } from '../api/serialization.ts'
import { concat } from '../base/bytes.ts'
import { assertKnownOptions } from '../base/options/known-options.ts'
import { IdempotencyInvalidOptionError } from '../errors.ts'

/** Options of `compressed`, in bytes. */
export interface CompressionOptions {
  /** Keeps smaller values as they are. @default 1024 */
  readonly minBytes?: number
  /**
   * Refuses larger values, when they are recorded and when they are read, so that no record can fill the memory.
   * @default 64 MiB
   */
  readonly maxBytes?: number
}

const AS_IT_IS = 0
const GZIP = 1

/**
 * Compresses values with gzip, where that makes them smaller. Put it before `encrypted()`: encrypted bytes do not shrink.
 * The length of a compressed value says something about it to a reader of the store who can choose a part of the value.
 *
 * @example
 * import { compressed, createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop', codecs: [compressed()] })
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is no number of bytes
 */
export function compressed(options: CompressionOptions = {}): Codec {
  assertKnownOptions(options, { minBytes: true, maxBytes: true })
  const { minBytes = 1024, maxBytes = 64 * 2 ** 20 } = options
  if (!(minBytes >= 0))
    throw new IdempotencyInvalidOptionError('minBytes', `must be a number of bytes, got ${minBytes}`)
  if (!(maxBytes >= 1))
    throw new IdempotencyInvalidOptionError('maxBytes', `must be a number of bytes, got ${maxBytes}`)
  return {
    id: 'gzip',
    encode(bytes) {
      const plain = () => concat([Uint8Array.of(AS_IT_IS), bytes])
      if (bytes.length > maxBytes)
        throw new RangeError(`it has ${bytes.length} bytes, more than maxBytes (${maxBytes})`)
      if (bytes.length < minBytes) return plain()
      const pack = async () => {
        const packed = await pipe(bytes, new CompressionStream('gzip'), Number.POSITIVE_INFINITY)
        return packed.length < bytes.length ? concat([Uint8Array.of(GZIP), packed]) : plain()
      }
      return pack()
    },
    decode(bytes) {
      const rest = bytes.subarray(1)
      if (bytes[0] === AS_IT_IS) return rest
      if (bytes[0] === GZIP) return pipe(rest, new DecompressionStream('gzip'), maxBytes)
      throw new TypeError('it is not packed by this codec')
    },
  }
}

async function pipe(
  bytes: Uint8Array,
  through: { readonly readable: ReadableStream<Uint8Array>; readonly writable: WritableStream },
  limit: number,
): Promise<Uint8Array> {
  const writer = through.writable.getWriter()
  // a failure here reaches the reading end too, which throws it
  const written = writer
    .write(bytes.slice())
    .then(() => writer.close())
    .catch(() => undefined)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = through.readable.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > limit) {
      await reader.cancel().catch(() => undefined)
      throw new RangeError(`it unpacks to more than ${limit} bytes`)
    }
    chunks.push(value)
  }
  await written
  return concat(chunks)
}
