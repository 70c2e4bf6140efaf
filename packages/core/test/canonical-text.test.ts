import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalAscii } from '../src/keys/canonical/canonical-ascii.ts'
import { canonicalize } from '../src/keys/canonical/canonical-json.ts'
import { canonicalText } from '../src/keys/canonical/canonical-text.ts'
import { decimalText } from '../src/keys/canonical/decimal-text.ts'

/** Texts of JSON with white space, escapes and forms of numbers that JSON.stringify would not choose. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; array: string; object: string }>((tie) => {
  const space = fc.constantFrom('', '', ' ', '\n\t', '\r\n')
  const text = fc.oneof(
    fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
    fc.constantFrom(
      '"\\u0061"',
      '"a"',
      '"\\/"',
      '"\\ud800"',
      '"\\\\"',
      '"\\\\\\""',
      `"${'x'.repeat(50)}\\n"`,
      `"${'y'.repeat(90)}"`,
    ),
  )
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.constantFrom('1.0', '-0', '1E5', '10e-1', '0.0000001', '1e21', '123456789012345678901', '0.10', '-1.5e+3'),
  )
  const joined = (items: readonly string[], space: string) => items.join(`${space},${space}`)
  return {
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      number,
      fc.constantFrom('true', 'false', 'null'),
      tie('array'),
      tie('object'),
    ),
    array: fc.tuple(space, fc.array(tie('value'))).map(([blank, items]) => `[${blank}${joined(items, blank)}${blank}]`),
    object: fc
      .tuple(space, fc.uniqueArray(fc.tuple(text, tie('value')), { selector: ([name]) => JSON.parse(name) as string }))
      .map(
        ([blank, members]) =>
          `{${blank}${joined(
            members.map(([name, value]) => `${name}${blank}:${blank}${value}`),
            blank,
          )}${blank}}`,
      ),
  }
}).value

const unsigned = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll('-0,', '0,'))

describe('canonical text', () => {
  it('is that of the value, wherever a double holds its numbers', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const canonical = canonicalText(text)
        expect(JSON.parse(canonical)).toEqual(JSON.parse(text))
        expect(canonicalText(canonical)).toBe(canonical)
        const lenient = canonicalize(JSON.parse(text), (value) => (Object.is(value, -0) ? 0 : value))
        expect(unsigned(JSON.parse(canonical))).toEqual(JSON.parse(lenient))
      }),
    )
  })

  it('is that of any other text of the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const unsigned: unknown = JSON.parse(JSON.stringify(value))
        const pretty = canonicalText(JSON.stringify(unsigned, null, 2))
        expect(pretty).toBe(canonicalize(unsigned, (text) => text))
      }),
    )
  })

  it('is refused exactly where JSON.parse refuses', () => {
    const broken = fc
      .tuple(
        jsonText,
        fc.nat(),
        fc.constantFrom('', ',', '"', '\\', '{', '}', '[', ']', ':', '0', '-', '.', 'e', '\u0000', ' ', 'true', 'x'),
        fc.nat({ max: 2 }),
      )
      .map(([text, at, inserted, removed]) => {
        const place = at % (text.length + 1)
        return text.slice(0, place) + inserted + text.slice(place + removed)
      })
    const accepts = (read: (text: string) => unknown, text: string) => {
      try {
        read(text)
        return true
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError)
        return false
      }
    }
    fc.assert(
      fc.property(broken, (text) => {
        expect(accepts(canonicalText, text)).toBe(accepts(JSON.parse, text))
      }),
      { numRuns: 2000 },
    )
  })

  it('is the same by the bytes, wherever those do', () => {
    /** Texts that are almost as simple as that, and their members in any order, some of them twice. */
    const simple = fc.letrec<{ value: string; members: string; items: string }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        fc
          .oneof({ weight: 9, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 9 }) }, fc.string())
          .map((text) => JSON.stringify(text)),
        fc
          .oneof(
            fc.nat(),
            fc.integer(),
            fc.float({ noNaN: true, noDefaultInfinity: true }),
            fc.double({ noNaN: true, noDefaultInfinity: true }),
          )
          .map((number) => JSON.stringify(number)),
        fc.constantFrom(
          'true',
          'false',
          'null',
          '-0',
          '0.000001',
          '0.0000001',
          '9007199254740993',
          '1.0',
          '01',
          '-',
          '.5',
          'nul',
          '"\\u0061"',
          '',
          ' 1',
        ),
        tie('members'),
        tie('items'),
      ),
      members: fc
        .array(fc.tuple(fc.constantFrom('a', 'b', '', 'a!', '__proto__', 'toJSON', 'aa', '\u007f'), tie('value')), {
          maxLength: 20,
        })
        .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`),
      items: fc.array(tie('value')).map((items) => `[${items.join()}]`),
    })).value
    let taken = 0
    const by = (read: () => string | undefined) => {
      try {
        return read()
      } catch {
        return undefined
      }
    }
    fc.assert(
      fc.property(fc.oneof(simple, jsonText), (text) => {
        const quick = canonicalAscii(new TextEncoder().encode(text))
        if (quick === undefined) return
        taken++
        expect(quick).toBe(by(() => canonicalText(text)))
      }),
      { numRuns: 5000 },
    )
    expect(taken).toBeGreaterThan(500)
  })

  it.each([
    ['{"b":{"z":1,"a":[]},"a":"x"}', '{"a":"x","b":{"a":[],"z":1}}'],
    [`{"b":"${'x'.repeat(31_000)}","a":1}`, `{"a":1,"b":"${'x'.repeat(31_000)}"}`],
    [`{"b":"${'x'.repeat(33_000)}","a":1}`, undefined],
    [`{"b":${'['.repeat(15)}${']'.repeat(15)},"a":1}`, `{"a":1,"b":${'['.repeat(15)}${']'.repeat(15)}}`],
    [`{"b":${'['.repeat(16)}${']'.repeat(16)},"a":1}`, undefined],
    ['{"b":1,"a":2,"b":3}', '{"a":2,"b":1,"b":3}'],
    ['{"a":1}{', undefined],
    ['{"a":1', undefined],
    ['"a', undefined],
    ['', undefined],
    ['"\u007f"', '"\u007f"'],
  ])('of the bytes %s', (text, canonical) => {
    expect(canonicalAscii(new TextEncoder().encode(text))).toBe(canonical)
    // a text leaves nothing for the next one
    expect(canonicalAscii(new TextEncoder().encode('[1'))).toBeUndefined()
  })

  it('keeps members that stand twice, and tells of them', () => {
    let repeated = 0
    const text = canonicalText('{"b":1,"a":{"x":1},"\\u0062":2}', { repeated: () => repeated++ })
    expect(text).toBe('{"a":{"x":1},"b":1,"b":2}')
    expect(repeated).toBeGreaterThan(0)
  })

  it('refuses what is nested too deeply, and takes what is nested otherwise', () => {
    expect(() => canonicalText('['.repeat(2_000_000))).toThrow(/1000 levels/)
    expect(canonicalText('['.repeat(1000) + ']'.repeat(1000))).toHaveLength(2000)
  })
})

describe('the text of a number', () => {
  it.each([
    ['1.50', '1.5'],
    ['1E3', '1000'],
    ['-0.0', '-0'],
    ['0e5', '0'],
    ['1e21', '1e+21'],
    ['100e19', '1e+21'],
    ['0.000001', '0.000001'],
    ['1e-7', '1e-7'],
    ['0.0000001', '1e-7'],
    ['0.12345678901234567890', '0.1234567890123456789'],
    ['9007199254740993', '9007199254740993'],
    ['1e400', '1e+400'],
    ['1e999999999999999999999', '1e999999999999999999999'],
  ])('%s is written %s', (source, text) => {
    expect(decimalText(source)).toBe(text)
  })

  it('is that of ECMAScript for every double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        fc.pre(value !== 0)
        expect(decimalText(value.toExponential())).toBe(String(value))
        expect(decimalText(String(value))).toBe(String(value))
      }),
    )
  })

  it('takes linear time, however many zeros there are', () => {
    const zeros = '0'.repeat(1_000_000)
    expect(decimalText(`1${zeros}1`)).toHaveLength(1_000_002 + '.e+1000001'.length)
  })
})
