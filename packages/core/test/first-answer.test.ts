import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { fromJson, type Replayed, throughJson } from '../src/encoding/json.ts'

/** Members that JSON.parse gives: enumerable data, in order, without symbols. */
function isAsParsed(value: unknown, parsed: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Object.is(value, parsed)
  if (typeof parsed !== 'object' || parsed === null) return false
  if (Object.getPrototypeOf(value) !== Object.getPrototypeOf(parsed)) return false
  const [own, others] = [Object.getOwnPropertyDescriptors(value), Object.getOwnPropertyDescriptors(parsed)]
  const names = Reflect.ownKeys(own)
  if (names.length !== Reflect.ownKeys(others).length) return false
  return names.every((name) => {
    const [one, other] = [Reflect.get(own, name), Reflect.get(others, name)]
    return 'value' in one && one.enumerable === other?.enumerable && isAsParsed(one.value, other.value)
  })
}

const anything = fc.anything({
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
  withBoxedValues: true,
})

/** A value through JSON; undefined where JSON cannot hold it. */
function attempted(value: unknown): Replayed | undefined {
  try {
    return throughJson(value)
  } catch {
    return undefined
  }
}

/** All objects within a value, itself too. */
function parts(value: unknown): object[] {
  return typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(parts)] : []
}

test.each<[string, fc.Arbitrary<unknown>]>([
  ['anything', anything],
  ['plain JSON', fc.jsonValue({ stringUnit: 'binary' })],
])('%s is given as a replay gives it, as a copy that shares nothing', (_, values) => {
  fc.assert(
    fc.property(values, (value) => {
      const replayed = attempted(value)
      if (!replayed) return
      expect(isAsParsed(replayed.value, fromJson(replayed.text))).toBe(true)
      const own = new Set(parts(value))
      const given = parts(replayed.value)
      expect(given.filter((part) => own.has(part))).toEqual([])
      // nothing is given in two places
      expect(new Set(given).size).toBe(given.length)
    }),
  )
})

test('plain JSON takes one pass of JSON', () => {
  const read = vi.spyOn(JSON, 'parse')
  try {
    throughJson({ id: 'ch_1', paid: true, lines: [{ sku: 'a', n: 1, note: null }] })
    expect(read).not.toHaveBeenCalled()
  } finally {
    read.mockRestore()
  }
})

test('a member named __proto__ stays a member', () => {
  const { value, text } = throughJson(JSON.parse('{"__proto__":{"admin":true}}'))
  expect(isAsParsed(value, fromJson(text))).toBe(true)
})

test('a proxy is given as it reads', () => {
  const doubled = new Proxy({ price: 1 }, { get: (target, name) => (name === 'price' ? 2 * target.price : undefined) })
  expect(throughJson([doubled])).toEqual({ text: '[{"price":2}]', value: [{ price: 2 }] })
})

test.each<[name: string, value: unknown]>([
  [
    'an accessor',
    {
      get now() {
        return 1
      },
    },
  ],
  ['a hidden member', Object.defineProperty({ a: 1 }, 'b', { value: 2 })],
  ['a symbol', { [Symbol('note')]: 1 }],
  ['a member without a value', { a: undefined }],
  ['a hole', Object.assign(Array(3), [1])],
  ['an array with a member', Object.assign([1], { index: 0 })],
  ['a match', 'ab'.match(/b/)],
  ['an array of a class', new (class extends Array<number> {})()],
  ['a value that says its JSON', { toJSON: () => 1 }],
  ['a nested date', { at: [new Date(0)] }],
  ['minus zero', [-0]],
  ['not a number', [Number.NaN]],
  ['an object without a prototype', Object.create(null)],
])('%s is given as a replay gives it', (_name, value) => {
  const { value: given, text } = throughJson(value)
  expect(given).not.toBe(value)
  expect(isAsParsed(given, fromJson(text))).toBe(true)
})
