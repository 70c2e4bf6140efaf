import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalBytes } from '../src/keys/canonical/canonical-bytes.ts'
import { canonicalize } from '../src/keys/canonical/canonical-json.ts'

const textOf = (written: Uint8Array | string) =>
  typeof written === 'string' ? written : new TextDecoder().decode(written)

/** The result of `write`: a text, or the message of what it throws. */
function tried(write: () => string): string {
  try {
    return write()
  } catch (error) {
    return `throws ${(error as Error).message}`
  }
}

test('gives the canonical JSON of every JSON value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 4 }), (value) => {
      expect(textOf(canonicalBytes(value))).toBe(canonicalize(value))
    }),
  )
})

test('gives and refuses what `canonicalize` gives and refuses, for any value', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    stringUnit: 'binary',
  })
  fc.assert(
    fc.property(anything, (value) => {
      expect(tried(() => textOf(canonicalBytes(value)))).toBe(tried(() => canonicalize(value)))
    }),
  )
})

test('objects whose names came before, in any order and in part, are written as those that come first', () => {
  const name = fc.constantFrom(
    '',
    'a',
    'b',
    'ab',
    'é',
    '"',
    '\\n',
    '\ud83d\ude00',
    '\ufb33',
    '10',
    '9',
    'toString',
    '__proto__',
  )
  const member = fc.tuple(name, fc.constantFrom<unknown>(undefined, 1, 'x', null, [], {}))
  const object = fc.array(member, { maxLength: 5 }).map((members) => Object.fromEntries(members))
  fc.assert(
    fc.property(fc.array(object, { maxLength: 6 }), fc.nat(5), (objects, at) => {
      const value = { list: [...objects, ...objects], again: objects[at], nested: { ...objects[at], inner: objects } }
      const expected = canonicalize(value)
      for (let times = 0; times < 3; times++) expect(textOf(canonicalBytes(value))).toBe(expected)
    }),
  )
})

test('names that cannot be written are refused as often as they come', () => {
  const refusal = tried(() => canonicalize({ '\ud800': 1 }))
  for (let times = 0; times < 3; times++) expect(tried(() => textOf(canonicalBytes({ '\ud800': 1 })))).toBe(refusal)
})

test('names of one length, and more of them than are remembered', () => {
  for (const count of [0, 1, 31, 32, 33, 600]) {
    const value = Object.fromEntries(Array.from({ length: count }, (_, at) => [`${1e6 - at}n`, at]))
    for (let times = 0; times < 3; times++) expect(textOf(canonicalBytes(value))).toBe(canonicalize(value))
  }
})

describe('writes plain values as bytes', () => {
  test.each<[name: string, value: unknown]>([
    ['names that differ late, or not in length', { aab: 1, aa: 2, '': 3, ab: 4, a: 5 }],
    ['names like indexes', { 10: 1, 9: 2, a: 3 }],
    [
      'more names than are sorted by hand',
      Object.fromEntries(Array.from({ length: 99 }, (_, at) => [`n${99 - at}`, at])),
    ],
    ['escapes', { text: '"\\\n\u0000\u007f', 'é"': 'ünï' }],
    ['long texts', ['x'.repeat(5000), 'é'.repeat(5000), '"'.repeat(500)]],
    ['numbers', [0, 9, 10, 99, 2 ** 31 - 1, 2 ** 31, 2 ** 53, 1e21, 1e-7, -1, 0.1, 5e-324]],
    ['objects without a prototype', Object.assign(Object.create(null), { b: 1, a: [] })],
    ['members without a value', { b: undefined, a: {} }],
  ])('%s', (_name, value) => {
    const written = canonicalBytes(value)
    expect(written).toBeInstanceOf(Uint8Array)
    expect(textOf(written)).toBe(canonicalize(value))
  })
})

test('a value that is too large for the bytes is given as a text', () => {
  for (const value of ['x'.repeat(70_000), Array.from({ length: 40_000 }, () => 1), { ['n'.repeat(70_000)]: true }]) {
    expect(canonicalBytes(value)).toBe(canonicalize(value))
  }
})

test('a value that does not fit is never cut, however near the end it comes', () => {
  for (let length = 65_500; length < 65_560; length++) {
    for (const value of [
      { a: 'x'.repeat(length) },
      { a: 'x'.repeat(length - 40), b: [1, 'short', true, null, 12345] },
    ]) {
      expect(textOf(canonicalBytes(value))).toBe(canonicalize(value))
    }
  }
})

test('a getter that asks for the bytes of another value leaves those of its own as they are', () => {
  const value = {
    a: 'before',
    get b() {
      return textOf(canonicalBytes({ another: 'value', that: ['is', 'longer', 'than', 'the', 'first'] }))
    },
    c: 'after',
  }
  expect(textOf(canonicalBytes(value))).toBe(canonicalize(value))
})
