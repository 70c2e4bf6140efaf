import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IdempotencyInvalidCallError } from '../src/errors.ts'
import { canonicalize } from '../src/keys/canonical/canonical-json.ts'

const utf8 = new TextEncoder()

describe('the published examples of RFC 8785', () => {
  test('§3.2.2 to §3.2.4: the sample object, byte for byte', () => {
    const sample = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`)
    const published = `
      7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72
      75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
      5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31
      65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37
      5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30
      30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d`
    expect(Buffer.from(utf8.encode(canonicalize(sample))).toString('hex')).toBe(published.replace(/\s/g, ''))
  })

  test('§3.2.3: members are sorted by UTF-16 code units', () => {
    const sample = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }
    expect([...canonicalize(sample).matchAll(/:"([^"]+)"/g)].map((match) => match[1])).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('Appendix B: the number %s is written %s', (ieee754, text) => {
    expect(canonicalize(fromIeee754(ieee754))).toBe(text)
  })

  test.each(['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'])('Appendix B: %s is refused', (ieee754) => {
    expect(() => canonicalize(fromIeee754(ieee754))).toThrow(IdempotencyInvalidCallError)
  })
})

describe('properties', () => {
  const anyJson = fc.jsonValue({ stringUnit: 'grapheme' })

  test('the text is the value', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(JSON.parse(canonicalize(value))).toEqual(withoutMinusZero(value))
      }),
    )
  })

  test('the text is that of the value which it stands for', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(canonicalize(JSON.parse(canonicalize(value)))).toBe(canonicalize(value))
      }),
    )
  })

  test('the order of members never matters', () => {
    const orders = fc.dictionary(fc.string({ unit: 'grapheme' }), anyJson).chain((members) => {
      const entries = Object.entries(members)
      return fc.tuple(
        fc.constant(members),
        fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length }),
      )
    })
    fc.assert(
      fc.property(orders, ([members, shuffled]) => {
        expect(canonicalize({ deep: [Object.fromEntries(shuffled)] })).toBe(canonicalize({ deep: [members] }))
      }),
    )
  })

  test('values that differ have texts that differ', () => {
    fc.assert(
      fc.property(anyJson, anyJson, (one, other) => {
        expect(canonicalize(one) === canonicalize(other)).toBe(
          JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)),
        )
      }),
    )
  })
})

describe('what is not plain JSON', () => {
  test('members that are undefined are left out, `toJSON` is honoured, and a member called __proto__ is a member', () => {
    expect(canonicalize({ b: undefined, a: 1 })).toBe('{"a":1}')
    expect(canonicalize({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
    expect(canonicalize({ price: { toJSON: (member: string) => `the ${member}` } })).toBe('{"price":"the price"}')
    expect(canonicalize(JSON.parse('{"__proto__":{"admin":true}}'))).toBe('{"__proto__":{"admin":true}}')
    expect(canonicalize(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
    expect(canonicalize(Object.assign(Object.create(Object.create(null)), { a: 1 }))).toBe('{"a":1}')
  })

  test('an object may give itself as its JSON', () => {
    class Money {
      amount = 1
      toJSON(): unknown {
        return this
      }
    }
    expect(canonicalize({ money: new Money() })).toBe('{"money":{"amount":1}}')
  })

  test('an object that occurs twice is no cycle', () => {
    const address = { city: 'Bern' }
    expect(canonicalize({ from: address, to: address })).toBe('{"from":{"city":"Bern"},"to":{"city":"Bern"}}')
  })

  const cycle: { self?: unknown } = {}
  cycle.self = [cycle]
  class Bag extends Map<number, number> {
    label = 'what a map holds is not its members'
  }
  test.each<[string, unknown, RegExp]>([
    ['a BigInt', { amount: 1n }, /payload at 'amount': JSON has no bigint/],
    ['a function', { a: () => 1 }, /JSON has no function/],
    ['a symbol', { a: Symbol('s') }, /JSON has no symbol/],
    ['undefined', undefined, /JSON has no undefined/],
    ['undefined in an array', [1, undefined], /payload at '1': JSON has no undefined/],
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    ['a hole in an array', [1, , 3], /payload at '1': JSON has no undefined/],
    ['NaN', { a: [Number.NaN] }, /JSON has no NaN/],
    ['infinity', Number.NEGATIVE_INFINITY, /JSON has no -Infinity/],
    ['a lone surrogate', ['\ud800'], /lone surrogate/],
    ['a lone surrogate in a name', { '\udc00': 1 }, /lone surrogate/],
    ['a cycle', cycle, /a cycle/],
    ['a Map', { a: new Map([[1, 2]]) }, /payload at 'a': JSON cannot see what a Map holds/],
    ['a Set', new Set([1]), /what a Set holds/],
    ['a Map that has members too', new Bag([[1, 2]]), /what a Bag holds/],
    ['an ArrayBuffer', { a: new ArrayBuffer(8) }, /what a ArrayBuffer holds/],
    ['an Error', { a: new Error('no') }, /what a Error holds/],
    ['an Error that has members too', Object.assign(new Error('no'), { code: 1 }), /what a Error holds/],
    ['a promise', { a: Promise.resolve(1) }, /what a Promise holds/],
    [
      'a private field',
      new (class Secret {
        #a = 1
        show = () => this.#a
      })(),
      /what a Secret holds/,
    ],
    [
      'a private field of a class without a name',
      new (class {
        #a = 1
        show = () => this.#a
      })(),
      /what a nameless class holds/,
    ],
    [
      'a private field beside a member',
      new (class Money {
        currency = 'CHF'
        #cents = 100
        cents = () => this.#cents
      })(),
      /what a Money holds/,
    ],
    ['a date that is not valid', { at: new Date(Number.NaN) }, /payload at 'at': the Date is not valid/],
    ['what has no end', endless(), /more than 1000 levels/],
  ])('%s is refused', (_, value, message) => {
    expect(() => canonicalize(value)).toThrow(IdempotencyInvalidCallError)
    expect(() => canonicalize(value)).toThrow(message)
  })

  test('900 levels are not too many', () => {
    let deep: unknown = 1
    for (let level = 0; level < 900; level++) deep = [deep]
    expect(canonicalize(deep)).toBe(`${'['.repeat(900)}1${']'.repeat(900)}`)
  })
})

function fromIeee754(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE()
}

function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** The value with its members in one order: what a reader would compare by. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, member]) => [name, sorted(member)] as const)
  return { members: entries.sort(([a], [b]) => (a < b ? -1 : 1)) }
}

function endless(): object {
  return { toJSON: () => ({ next: endless() }) }
}
