/** Bytes put together. */
const utf8 = new TextEncoder()

/** Each part behind its length (4 bytes), so that `['a', 'bc']` and `['ab', 'c']` differ. */
export function frame(parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const chunks = parts.map((part) => (typeof part === 'string' ? utf8.encode(part) : part))
  const framed = new Uint8Array(chunks.reduce((total, chunk) => total + 4 + chunk.length, 0))
  const lengths = new DataView(framed.buffer)
  let offset = 0
  for (const chunk of chunks) {
    lengths.setUint32(offset, chunk.length)
    framed.set(chunk, offset + 4)
    offset += 4 + chunk.length
  }
  return framed
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
