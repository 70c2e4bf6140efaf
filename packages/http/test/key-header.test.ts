import { IdempotencyInvalidCallError } from '@retryproof/core'
import fc from 'fast-check'
import { serializeItem } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import type { HeaderField } from '../src/protocol/exchange.ts'
import { keyFromHeaders } from '../src/protocol/key-header.ts'

const sent = (...values: string[]): HeaderField[] => values.map((value) => ['Idempotency-Key', value])

describe('the key of a request', () => {
  it.each([
    ['bare', 'k1', 'k1'],
    ['quoted', '"k1"', 'k1'],
    ['with parameters', '"k1";a=1;b', 'k1'],
    ['with escapes', '"a\\"b\\\\c"', 'a"b\\c'],
    ['with a comma inside', '"a, b"', 'a, b'],
    ['between white space', '  "k1"\t', 'k1'],
    ['a UUID', '8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['base64', 'aGVsbG8+d29ybGQ/', 'aGVsbG8+d29ybGQ/'],
    ['base64url', 'aGVsbG8_d29ybGQ=', 'aGVsbG8_d29ybGQ='],
    ['255 characters', 'k'.repeat(255), 'k'.repeat(255)],
    ['a key that looks like a number', '123', '123'],
  ])('%s', (_, value, key) => {
    expect(keyFromHeaders(sent(value), 'lenient')).toBe(key)
  })

  it('is undefined without the header', () => {
    expect(keyFromHeaders([['X-Idempotency-Key', 'k1']], 'lenient')).toBeUndefined()
  })

  it('takes the name of the header in any case', () => {
    expect(keyFromHeaders([['iDEMPOTENCY-kEY', 'k1']], 'lenient')).toBe('k1')
  })

  it.each([
    ['empty', ['']],
    ['white space', ['  ']],
    ['an empty string', ['""']],
    ['256 characters', ['k'.repeat(256)]],
    ['256 characters in quotes', [`"${'k'.repeat(256)}"`]],
    ['an unbalanced quote', ['"k1']],
    ['a quote at the end', ['k1"']],
    ['a quote inside', ['"a"b"']],
    ['an unknown escape', ['"a\\nb"']],
    ['text after the string', ['"a" b']],
    ['a list', ['"a", "b"']],
    ['a bare list', ['a, b']],
    ['a control character', ['"a\u0000b"']],
    ['a bare control character', ['a\u0007b']],
    ['a tab inside', ['"a\tb"']],
    ['what is no ASCII', ['"é"']],
    ['bare, what is no ASCII', ['é']],
    ['two headers', ['k1', 'k1']],
    ['two headers whose quotes would match', ['"a', 'b"']],
  ])('is refused when it is %s', (_, values) => {
    expect(() => keyFromHeaders(sent(...values), 'lenient')).toThrow(IdempotencyInvalidCallError)
  })

  it('is never told back in an error, which may end in a log', () => {
    const secret = '"sk_live_1234567890\u0001"'
    try {
      keyFromHeaders(sent(secret), 'lenient')
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain('sk_live')
    }
  })

  it('must be quoted under strict syntax', () => {
    expect(() => keyFromHeaders(sent('k1'), 'strict')).toThrow(IdempotencyInvalidCallError)
    expect(keyFromHeaders(sent('"k1"'), 'strict')).toBe('k1')
  })

  it('comes back from every string that RFC 9651 can write', () => {
    const ascii = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 255,
    })
    fc.assert(fc.property(ascii, (key) => keyFromHeaders(sent(serializeItem(key)), 'strict') === key))
  })

  it('is a key or is refused, whatever the bytes', () => {
    const latin1 = fc.string({
      unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)),
      maxLength: 300,
    })
    fc.assert(
      fc.property(latin1, fc.constantFrom('lenient', 'strict'), (value, syntax) => {
        try {
          const key = keyFromHeaders(sent(value), syntax)
          return typeof key === 'string' && key.length >= 1 && key.length <= 255
        } catch (error) {
          return error instanceof IdempotencyInvalidCallError && error.field === 'key'
        }
      }),
    )
  })
})
