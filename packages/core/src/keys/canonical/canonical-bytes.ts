/** Writes the canonical JSON of a plain value straight to bytes, without a text for each of its parts. */
import { canonicalize, hasToJson, isPlain } from './canonical-json.ts'
import { MAX_DEPTH } from './canonical-text.ts'
import { MAX_SHAPE_BYTES, type Shape, shapeOf } from './shapes.ts'

/** Says that a value is not plain, or that there is no room for it. */
const NOT_WRITTEN = -1

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const ZERO = 0x30
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** Whole numbers below it are written digit by digit. */
const MAX_PLAIN = 2 ** 31
/** Longer texts are escaped and encoded by the runtime. */
const SHORT = 48
/** More names than that are sorted by the runtime. */
const FEW = 32

const utf8 = new TextEncoder()

/** Reused: the bytes are good until the next use. */
const scratch = new Uint8Array(65_536)
/** A getter of a value that is written may make a call of its own, whose value must not land in the same bytes. */
let isWriting = false

/**
 * Returns the canonical JSON of a value in UTF-8, good until the next call; its text where the value is not plain or too
 * large.
 *
 * @throws {@link IdempotencyInvalidCallError} for what `canonicalize` refuses
 */
export function canonicalBytes(value: unknown): Uint8Array | string {
  return plainBytes(value) ?? canonicalize(value)
}

/**
 * Returns the canonical JSON of a plain value in UTF-8, good until the next call; `undefined` for any other value, for one
 * that is too large, and while another one is written.
 */
export function plainBytes(value: unknown): Uint8Array | undefined {
  if (isWriting) return undefined
  isWriting = true
  try {
    const end = write(value, scratch, 0, 0)
    return end === NOT_WRITTEN || end > scratch.length ? undefined : scratch.subarray(0, end)
  } finally {
    isWriting = false
  }
}

/** Writes `value` at `at`. Returns the end, which may lie behind that of `target`: then it did not fit. */
function write(value: unknown, target: Uint8Array, at: number, depth: number): number {
  // no switch, for which V8 makes the name of the type
  if (typeof value === 'string') return writeText(value, target, at)
  if (typeof value === 'number') return writeNumber(value, target, at)
  if (typeof value === 'boolean') return writeAscii(value ? 'true' : 'false', target, at)
  if (value === null) return writeAscii('null', target, at)
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return NOT_WRITTEN
  if (Array.isArray(value)) return writeItems(value, target, at, depth + 1)
  if (isPlain(value)) return writeMembers(value, target, at, depth + 1)
  return NOT_WRITTEN
}

function writeItems(items: readonly unknown[], target: Uint8Array, start: number, depth: number): number {
  if (hasToJson(items)) return NOT_WRITTEN
  let at = start
  target[at++] = 0x5b
  for (let index = 0; index < items.length; index++) {
    if (index > 0) target[at++] = COMMA
    at = write(items[index], target, at, depth)
    if (at === NOT_WRITTEN || at > target.length) return NOT_WRITTEN
  }
  target[at++] = 0x5d
  return at
}

type Members = Readonly<Record<string, unknown>>

function writeMembers(members: Members, target: Uint8Array, start: number, depth: number): number {
  const names = Object.keys(members)
  const shape = shapeOf(names, makeShape)
  if (shape) return writeShaped(members, shape, target, start, depth)
  sort(names)
  let at = start
  target[at++] = OPEN_OBJECT
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? ''
    const value = members[name]
    if (value === undefined) continue
    if (at > start + 1) target[at++] = COMMA
    at = writeName(name, target, at)
    if (at === NOT_WRITTEN) return at
    at = write(value, target, at, depth)
    if (at === NOT_WRITTEN) return at
  }
  target[at++] = CLOSE_OBJECT
  return at
}

function writeShaped(
  members: Members,
  { sorted, bytes, ends }: Shape,
  target: Uint8Array,
  start: number,
  depth: number,
): number {
  let at = start
  let from = 0
  target[at++] = OPEN_OBJECT
  for (let index = 0; index < sorted.length; index++) {
    const end = ends[index] ?? 0
    const value = members[sorted[index] ?? '']
    if (value !== undefined) {
      if (at > start + 1) target[at++] = COMMA
      // one by one: to set so few costs more
      while (from < end) target[at++] = bytes[from++] ?? 0
      at = write(value, target, at, depth)
      if (at === NOT_WRITTEN) return at
    }
    from = end
  }
  target[at++] = CLOSE_OBJECT
  return at
}

function writeName(name: string, target: Uint8Array, start: number): number {
  const at = writeText(name, target, start)
  if (at === NOT_WRITTEN) return at
  target[at] = COLON
  return at + 1
}

function makeShape(names: readonly string[]): Shape | undefined {
  const sorted = names.slice()
  sort(sorted)
  const bytes = new Uint8Array(MAX_SHAPE_BYTES)
  const ends: number[] = []
  let at = 0
  for (const name of sorted) {
    at = writeName(name, bytes, at)
    if (at === NOT_WRITTEN) return undefined
    ends.push(at)
  }
  return { sorted, bytes: bytes.slice(0, at), ends }
}

/** Sorts names in place, by UTF-16 code units. */
function sort(names: string[]): void {
  if (names.length > FEW) {
    names.sort()
    return
  }
  for (let index = 1; index < names.length; index++) {
    const name = names[index] ?? ''
    let place = index
    for (; place > 0; place--) {
      const before = names[place - 1] ?? ''
      if (!isAfter(before, name)) break
      names[place] = before
    }
    names[place] = name
  }
}

function isAfter(one: string, other: string): boolean {
  // most names differ in their first unit; an empty one has none
  const difference = one.charCodeAt(0) - other.charCodeAt(0)
  return difference > 0 || (!(difference < 0) && one > other)
}

function writeText(text: string, target: Uint8Array, start: number): number {
  const { length } = text
  if (length > SHORT || start + length + 2 > target.length) return writeEscaped(text, target, start)
  let at = start
  target[at++] = QUOTE
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return writeEscaped(text, target, start)
    target[at++] = code
  }
  target[at++] = QUOTE
  return at
}

function writeEscaped(text: string, target: Uint8Array, at: number): number {
  if (!text.isWellFormed()) return NOT_WRITTEN
  const escaped = JSON.stringify(text)
  const { read, written } = utf8.encodeInto(escaped, target.subarray(at))
  return read === escaped.length ? at + written : NOT_WRITTEN
}

function writeNumber(value: number, target: Uint8Array, start: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= MAX_PLAIN || Object.is(value, -0)) {
    return Number.isFinite(value) && !Object.is(value, -0) ? writeAscii(`${value}`, target, start) : NOT_WRITTEN
  }
  const size = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : sizeOf(value)
  let left = value
  for (let at = start + size - 1; at >= start; at--) {
    // of whole numbers: the compiler multiplies
    const rest = (left / 10) | 0
    target[at] = ZERO + left - rest * 10
    left = rest
  }
  return start + size
}

function sizeOf(value: number): number {
  let size = 4
  for (let limit = 10_000; value >= limit; limit *= 10) size++
  return size
}

function writeAscii(text: string, target: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) target[at + index] = text.charCodeAt(index)
  return at + text.length
}
