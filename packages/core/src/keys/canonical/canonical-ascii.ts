/** Rewrites the bytes of a JSON text to its canonical text, where that takes no more than to sort members and to drop white space. */
import { BACKSLASH, QUOTE } from './json-tokens.ts'

const SPACE = 0x20
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const DELETE = 0x7f

/** Larger texts, deeper ones and objects of more members are left to `canonicalText`. */
const MAX_BYTES = 32_768
const MAX_DEPTH = 16
const MAX_MEMBERS = 16
/** Digits, with their point, that every double keeps. */
const SAFE_DIGITS = 15
/** A copy in words writes up to three bytes more. */
const WORD = 4

/** No place: the text is not as simple as that. */
const NOT_SIMPLE = -1

const utf8 = new TextDecoder()

/** Reused by every text. */
const text = new Uint8Array(MAX_BYTES + WORD)
const sorted = new Uint8Array(MAX_BYTES + WORD)
const textWords = new DataView(text.buffer)
const sortedWords = new DataView(sorted.buffer)
/** Start and end of each member of the objects that are open. */
const members = new Int32Array(2 * MAX_MEMBERS * MAX_DEPTH)

/**
 * Returns what `canonicalText` does; undefined where that has more to do or to refuse: for characters beyond ASCII, escapes, exponents,
 * long numbers, and what is no JSON.
 */
export function canonicalAscii(json: Uint8Array): string | undefined {
  const { length } = json
  if (length > MAX_BYTES) return undefined
  text.set(json)
  // no byte of JSON, so that nothing reads on
  text[length] = 0
  const end = valueEnd(0, 0)
  return end === length ? utf8.decode(text.subarray(0, end)) : undefined
}

/** Each gives the end of what begins at a place of `text`, and makes it canonical in its place. */
function valueEnd(at: number, depth: number): number {
  const code = text[at] ?? 0
  if (code === QUOTE) return textEnd(at)
  if (code === MINUS || (code >= ZERO && code <= NINE)) return numberEnd(at)
  if (code === OPEN_OBJECT) return depth < MAX_DEPTH ? objectEnd(at, depth) : NOT_SIMPLE
  if (code === OPEN_ARRAY) return depth < MAX_DEPTH ? arrayEnd(at, depth) : NOT_SIMPLE
  return wordEnd(code === 0x74 ? 'true' : code === 0x66 ? 'false' : 'null', at)
}

function wordEnd(word: string, start: number): number {
  for (let index = 0; index < word.length; index++) {
    if (text[start + index] !== word.charCodeAt(index)) return NOT_SIMPLE
  }
  return start + word.length
}

function textEnd(start: number): number {
  const bytes = text
  let at = start + 1
  for (;;) {
    const code = bytes[at++] ?? 0
    if (code === QUOTE) return at
    if (code < SPACE || code > DELETE || code === BACKSLASH) return NOT_SIMPLE
  }
}

function numberEnd(start: number): number {
  const whole = text[start] === MINUS ? start + 1 : start
  let at = digitsEnd(whole)
  if (at === whole || (text[whole] === ZERO && at > whole + 1)) return NOT_SIMPLE
  if (text[at] === POINT) {
    const fraction = at + 1
    at = digitsEnd(fraction)
    if (at === fraction || text[at - 1] === ZERO || isSmall(whole)) return NOT_SIMPLE
  }
  return at - whole <= SAFE_DIGITS ? at : NOT_SIMPLE
}

/** Tells whether a number that has a fraction is written with an exponent. */
function isSmall(whole: number): boolean {
  for (let at = whole; at < whole + 8; at++) if (text[at] !== ZERO && at !== whole + 1) return false
  return true
}

function digitsEnd(start: number): number {
  const bytes = text
  let at = start
  let code = bytes[at] ?? 0
  while (code >= ZERO && code <= NINE) code = bytes[++at] ?? 0
  return at
}

function arrayEnd(start: number, depth: number): number {
  if (text[start + 1] === CLOSE_ARRAY) return start + 2
  for (let at = start + 1; ; at++) {
    at = valueEnd(at, depth + 1)
    if (at === NOT_SIMPLE) return at
    const code = text[at]
    if (code === CLOSE_ARRAY) return at + 1
    if (code !== COMMA) return NOT_SIMPLE
  }
}

function objectEnd(start: number, depth: number): number {
  if (text[start + 1] === CLOSE_OBJECT) return start + 2
  const first = 2 * MAX_MEMBERS * depth
  let isSorted = true
  let at = start + 1
  for (let last = first; last < first + 2 * MAX_MEMBERS; last += 2) {
    const from = at
    if (text[at] !== QUOTE) return NOT_SIMPLE
    at = textEnd(at)
    if (at === NOT_SIMPLE || text[at] !== COLON) return NOT_SIMPLE
    at = valueEnd(at + 1, depth + 1)
    if (at === NOT_SIMPLE) return at
    if (isSorted && last > first) isSorted = !isAfter(members[last - 2] ?? 0, from)
    members[last] = from
    members[last + 1] = at
    const code = text[at++]
    if (code === COMMA) continue
    if (code !== CLOSE_OBJECT) return NOT_SIMPLE
    if (!isSorted) sort(first, last + 2)
    return at
  }
  return NOT_SIMPLE
}

/** Compares the names that begin at these places. A name does not come after one that is the same. */
function isAfter(left: number, right: number): boolean {
  for (let offset = 1; ; offset++) {
    const one = text[left + offset] ?? 0
    const other = text[right + offset] ?? 0
    if (one === other && one !== QUOTE) continue
    return one !== QUOTE && (other === QUOTE || one > other)
  }
}

/** Sorts the members of an object, those of one name in the order of the text. */
function sort(first: number, last: number): void {
  const start = members[first] ?? 0
  const size = (members[last - 1] ?? 0) - start
  for (let index = first + 2; index < last; index += 2) {
    const from = members[index] ?? 0
    const end = members[index + 1] ?? 0
    let place = index
    for (; place > first && isAfter(members[place - 2] ?? 0, from); place -= 2) {
      members[place] = members[place - 2] ?? 0
      members[place + 1] = members[place - 1] ?? 0
    }
    members[place] = from
    members[place + 1] = end
  }
  let to = 0
  for (let index = first; index < last; index += 2) {
    const from = members[index] ?? 0
    const length = (members[index + 1] ?? 0) - from
    for (let at = 0; at < length; at += WORD) sortedWords.setUint32(to + at, textWords.getUint32(from + at))
    to += length
    sorted[to++] = COMMA
  }
  // the last word may reach over the end, where other text stands
  const whole = size - (size % WORD)
  for (let at = 0; at < whole; at += WORD) textWords.setUint32(start + at, sortedWords.getUint32(at))
  for (let at = whole; at < size; at++) text[start + at] = sorted[at] ?? 0
}
