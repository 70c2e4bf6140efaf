import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromJson, toJson } from '../src/encoding/json.ts'

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

test('a value is given as it is only where a replay gives its equal', () => {
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
    withBoxedValues: true,
  })
  fc.assert(
    fc.property(anything, (value) => {
      let json: ReturnType<typeof toJson>
      try {
        json = toJson(value)
      } catch {
        return
      }
      if (json.isExact) expect(isAsParsed(value, fromJson(json.text))).toBe(true)
    }),
  )
})

test('plain JSON is proven to be as a replay gives it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      // -0 is the one number that JSON writes as another
      expect(toJson(value).isExact).toBe(isAsParsed(value, fromJson(JSON.stringify(value))))
    }),
  )
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
  expect(toJson(value).isExact).toBe(false)
})
