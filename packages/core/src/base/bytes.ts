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
  let size = 0
  // by index: an iterator makes an object for each part
  for (let index = 0; index < parts.length; index++) size += 4 + maxSizeOf(parts[index] ?? '')
  const framed = scratch && size <= scratch.length ? scratch : new Uint8Array(size)
  let offset = 0
  for (let index = 0; index < parts.length; index++) {
    const end = put(parts[index] ?? '', framed, offset + 4)
    putLength(end - offset - 4, framed, offset)
    offset = end
  }
  return framed.subarray(0, offset)
}

const maxSizeOf = (part: string | Uint8Array): number => part.length * (typeof part === 'string' ? 3 : 1)

/** Longer texts are encoded by the runtime, which takes a view for each. */
const SHORT = 96

/** Writes a part at `at`, and returns its end. */
function put(part: string | Uint8Array, target: Uint8Array, at: number): number {
  if (typeof part === 'string') return putText(part, target, at)
  target.set(part, at)
  return at + part.length
}

function putText(text: string, target: Uint8Array, at: number): number {
  const { length } = text
  let index = length > SHORT ? length : 0
  for (; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code > 0x7f) break
    target[at + index] = code
  }
  if (index === length && length <= SHORT) return at + length
  return at + utf8.encodeInto(text, target.subarray(at)).written
}

function putLength(length: number, target: Uint8Array, at: number): void {
  target[at] = length >>> 24
  target[at + 1] = length >>> 16
  target[at + 2] = length >>> 8
  target[at + 3] = length
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
  if (some.length !== others.length) return false
  for (let index = 0; index < some.length; index++) if (some[index] !== others[index]) return false
  return true
}
