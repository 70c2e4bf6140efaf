/** Bytes put together. */
const utf8 = new TextEncoder()

/**
 * Each part behind its length (4 bytes), so that `['a', 'bc']` and `['ab', 'c']` differ.
 *
 * @param scratch used where it is large enough: the result is then good until its next use
 */
export function frame(
  parts: readonly (string | Uint8Array)[],
  scratch?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  // UTF-8 takes at most three bytes for a unit of UTF-16: one array of that size instead of one for each part
  const size = parts.reduce((total, part) => total + 4 + part.length * (typeof part === 'string' ? 3 : 1), 0)
  const framed = scratch && size <= scratch.length ? scratch : new Uint8Array(size)
  const lengths = new DataView(framed.buffer)
  let offset = 0
  for (const part of parts) {
    const length = put(part, framed.subarray(offset + 4))
    lengths.setUint32(offset, length)
    offset += 4 + length
  }
  return framed.subarray(0, offset)
}

function put(part: string | Uint8Array, target: Uint8Array): number {
  if (typeof part === 'string') return utf8.encodeInto(part, target).written
  target.set(part)
  return part.length
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

export function equal(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && some.every((byte, index) => byte === others[index])
}
