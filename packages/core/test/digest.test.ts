import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { IdempotencyInvalidOptionError } from '../src/errors.ts'
import { createDigest } from '../src/keys/digest.ts'

const secret = 'a secret of more than 16 bytes'
const anyParts = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array()))

/** The result of `work` where there is no `node:crypto`. */
function withoutNode<T>(work: () => T): T {
  vi.stubGlobal('process', undefined)
  try {
    return work()
  } finally {
    vi.unstubAllGlobals()
  }
}

afterEach(() => {
  vi.unstubAllGlobals()
})

test('is SHA-256 over the label and the parts, each behind its length in four bytes', () => {
  const framed = '\0\0\0\x05label\0\0\0\x01a\0\0\0\x00\0\0\0\x02bc'
  expect(createDigest(undefined)('label', ['a', '', 'bc'])).toBe(createHash('sha256').update(framed).digest('hex'))
  expect(createDigest(secret)('label', ['a', '', 'bc'])).toBe(createHmac('sha256', secret).update(framed).digest('hex'))
})

test('other parts, another label or another secret make another digest', () => {
  const anyCall = fc.record({
    secret: fc.constantFrom(undefined, secret, `${secret}.`),
    label: fc.constantFrom('one', 'other'),
    parts: fc.array(fc.string({ maxLength: 2 }), { maxLength: 4 }),
  })
  fc.assert(
    fc.property(anyCall, anyCall, (one, other) => {
      const same =
        createDigest(one.secret)(one.label, one.parts) === createDigest(other.secret)(other.label, other.parts)
      expect(same).toBe(JSON.stringify(one) === JSON.stringify(other))
    }),
  )
})

test('parts of any length are digested as they are, whatever was digested before', () => {
  const digest = createDigest(undefined)
  const lengthOf = (part: string) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    return length
  }
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { minLength: 1, maxLength: 5 }), (lengths) => {
      for (const [index, length] of lengths.entries()) {
        const part = `${index}`.repeat(length)
        const framed = ['label', part].flatMap((each) => [lengthOf(each), Buffer.from(each)])
        expect(digest('label', [part])).toBe(createHash('sha256').update(Buffer.concat(framed)).digest('hex'))
      }
    }),
  )
})

test('text is hashed as its UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const digest = createDigest(secret)
      expect(digest('label', [text])).toBe(digest('label', [new TextEncoder().encode(text)]))
    }),
  )
})

test.each([undefined, secret, new TextEncoder().encode(secret)])(
  'a runtime without node:crypto gives the same (secret %s)',
  (key) => {
    const node = createDigest(key)
    const web = withoutNode(() => createDigest(key))
    fc.assert(
      fc.property(fc.string(), anyParts, (label, parts) => {
        expect(web(label, parts)).toBe(node(label, parts))
      }),
    )
  },
)

describe('the secret', () => {
  test('is read once: its owner may wipe its bytes', () => {
    const bytes = new TextEncoder().encode(secret)
    const node = createDigest(bytes)
    const web = withoutNode(() => createDigest(bytes))
    bytes.fill(0)
    const expected = createDigest(secret)('label', ['part'])
    expect(node('label', ['part'])).toBe(expected)
    expect(web('label', ['part'])).toBe(expected)
  })

  test.each<[string, unknown]>([
    ['empty', ''],
    ['of 15 bytes', '123456789012345'],
    ['of 15 bytes as bytes', new Uint8Array(15)],
    ['null', null],
    ['a number', 1234567890123456],
    ['a list', Array(16).fill(1)],
  ])('%s is refused', (_, bad) => {
    expect(() => createDigest(bad as string)).toThrow(IdempotencyInvalidOptionError)
    expect(() => createDigest(bad as string)).toThrow(/^secret: must /)
  })

  test('counts in bytes', () => {
    expect(createDigest('éééééééé')('label', [])).toMatch(/^[0-9a-f]{64}$/)
  })
})
