/** Bytes put together and taken apart. */

const LINE_FEED = 10
const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** None outside of Node. */
const { Buffer: pool } = globalThis as { readonly Buffer?: { allocUnsafe(size: number): Uint8Array } }

export function joinBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

/** A line of text (which has no line feed), then bytes as they are. */
export function joinLine(line: string, rest: Uint8Array): Uint8Array {
  return joinAscii(line, rest) ?? joinBytes(utf8.encode(`${line}\n`), rest)
}

/** Undefined for a line with other characters. Without an array for the line, and with one from the pool of Node where there is one. */
function joinAscii(line: string, rest: Uint8Array): Uint8Array | undefined {
  const { length } = line
  const size = length + 1 + rest.length
  const bytes = pool?.allocUnsafe(size) ?? new Uint8Array(size)
  for (let at = 0; at < length; at++) {
    const code = line.charCodeAt(at)
    if (code > 0x7f) return undefined
    bytes[at] = code
  }
  bytes[length] = LINE_FEED
  bytes.set(rest, length + 1)
  return bytes
}

/** @throws TypeError when there is no line, or it is no UTF-8 */
export function splitLine(bytes: Uint8Array): [line: string, rest: Uint8Array] {
  const end = bytes.indexOf(LINE_FEED)
  if (end < 0) throw new TypeError('there is no line')
  return [strictUtf8.decode(bytes.subarray(0, end)), bytes.subarray(end + 1)]
}

export function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const [only = new Uint8Array(), ...others] = pieces
  if (others.length === 0) return only
  const bytes = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** The SHA-256 of some bytes, in hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
