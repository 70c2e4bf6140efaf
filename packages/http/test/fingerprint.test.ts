import { IdempotencyInvalidOptionError } from '@retryproof/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeRequest, type FingerprintOptions, requireCountable } from '../src/guard/request/fingerprint.ts'
import { readBody } from '../src/guard/request/read-body.ts'
import type { Exchange } from '../src/protocol/exchange.ts'
import { Refusal } from '../src/protocol/refusal.ts'

const isExact = (value: unknown): boolean =>
  typeof value === 'number'
    ? Math.abs(value) <= Number.MAX_SAFE_INTEGER
    : typeof value !== 'object' || value === null || Object.values(value).every(isExact)
const exactJson = fc.jsonValue().filter(isExact)

const bytes = (text: string) => new TextEncoder().encode(text)

interface Sent extends Partial<Exchange<null>> {
  readonly type?: string
  readonly fingerprint?: FingerprintOptions
}

/** What is fingerprinted, as text, so that two can be compared. */
async function described({ type = 'application/json', fingerprint, ...exchange }: Sent): Promise<string> {
  const request = {
    method: 'POST',
    target: '/charges',
    headers: [['Content-Type', type]] as const,
    body: undefined,
    route: undefined,
    native: null,
    ...exchange,
  }
  requireCountable(request.headers, fingerprint)
  const payload = describeRequest(request, await readBody(request, 1000), fingerprint)
  return typeof payload === 'string' ? payload : Buffer.from(payload).toString('latin1')
}

const same = async (left: Sent, right: Sent) => (await described(left)) === (await described(right))

describe('what must be the same when a key is sent again', () => {
  it('is the value of a JSON body, whatever the order of its members', async () => {
    expect(await same({ body: bytes('{"a":1,"b":[2]}') }, { body: bytes(' { "b" : [2], "a" : 1.0 }') })).toBe(true)
    expect(await same({ body: bytes('{"a":1}') }, { body: bytes('{"a":2}') })).toBe(false)
  })

  it('does not depend on whether a parser ran before', async () => {
    await fc.assert(
      fc.asyncProperty(exactJson, async (value) => {
        const text = JSON.stringify(value)
        const parsed: unknown = JSON.parse(text)
        const raw = bytes(text)
        const read = async () => raw
        fc.pre(typeof parsed !== 'string')
        expect(await described({ parsed })).toBe(await described({ body: raw }))
        expect(await described({ read })).toBe(await described({ body: raw }))
        expect(await described({ parsed: raw })).toBe(await described({ body: raw }))
      }),
    )
  })

  it.each([
    ['members that occur twice', '{"amount":1,"amount":1000}', '{"amount":1000}'],
    ['members that occur twice, spelt differently', '{"a":1,"\\u0061":1000}', '{"a":1000}'],
    ['integers beyond 2^53', '{"id":9007199254740993}', '{"id":9007199254740992}'],
    ['numbers beyond what JSON reads', '{"id":1e400}', '{"id":1e401}'],
    ['lone surrogates', '{"a":"\\ud800"}', '{"a":"\\udfff"}'],
    ['a member named as Object.prototype', '{"__proto__":1}', '{}'],
    ['colons inside texts', '{"a":":"}', '{"a":"::"}'],
  ])('tells apart %s', async (_, left, right) => {
    expect(await same({ body: bytes(left) }, { body: bytes(right) })).toBe(false)
  })

  it('is the bytes of what is no JSON, or none that can be read', async () => {
    for (const [type, left, right] of [
      ['text/plain', 'a', 'b'],
      ['application/json', '{"a":1', '{"a":2'],
      ['application/json', '', '{}'],
      ['application/octet-stream', '\u0000', '\u0000\u0000'],
    ] as const) {
      expect(await same({ type, body: bytes(left) }, { type, body: bytes(right) })).toBe(false)
      expect(await same({ type, body: bytes(left) }, { type, body: bytes(left) })).toBe(true)
    }
  })

  it('is the bytes where they are no UTF-8', async () => {
    const [left, right] = [Uint8Array.of(0x22, 0xff, 0x22), Uint8Array.of(0x22, 0xfe, 0x22)]
    expect(await same({ body: left }, { body: right })).toBe(false)
  })

  it('includes method, target with its query, and media type, but none of its parameters', async () => {
    const body = bytes('{}')
    expect(await same({ body, method: 'PATCH' }, { body })).toBe(false)
    expect(await same({ body, target: '/charges?amount=1' }, { body, target: '/charges?amount=1000' })).toBe(false)
    expect(await same({ body, type: 'text/plain' }, { body })).toBe(false)
    expect(await same({ body, type: 'Application/JSON; charset=utf-8' }, { body })).toBe(true)
  })

  it('is never the same for two ways of counting', async () => {
    const parsed = { a: 1 }
    expect(await same({ parsed, fingerprint: { pick: ['a'] } }, { parsed })).toBe(false)
    expect(await same({ parsed, fingerprint: { omit: ['b'] } }, { parsed })).toBe(false)
  })

  it('takes a parsed body that has no canonical form as JSON writes it', async () => {
    expect(await same({ parsed: { a: '\ud800' } }, { parsed: { a: '\udfff' } })).toBe(false)
    expect(await same({ parsed: { a: 1n } }, { parsed: { a: 2n } })).toBe(false)
  })

  it('reads a body that nobody read, up to a limit', async () => {
    await expect(described({ read: async () => null })).rejects.toMatchObject({ reason: 'body-too-large' })
  })

  it('is an error of configuration when the body was consumed and nothing was left', async () => {
    await expect(described({})).rejects.toThrow(IdempotencyInvalidOptionError)
  })
})

describe('fields that count', () => {
  const first = { amount: 1, customer: { id: 7, seen: 'now' }, trace: 'x' }
  const again = { trace: 'y', customer: { seen: 'later', id: 7 }, amount: 1 }
  const other = { ...first, customer: { id: 8, seen: 'now' } }

  it.each<[string, FingerprintOptions]>([
    ['pick', { pick: ['amount', 'customer.id'] }],
    ['omit', { omit: ['trace', 'customer.seen'] }],
  ])('%s', async (_, fingerprint) => {
    expect(await same({ parsed: first, fingerprint }, { parsed: again, fingerprint })).toBe(true)
    expect(await same({ parsed: first, fingerprint }, { parsed: other, fingerprint })).toBe(false)
    expect(await same({ body: bytes(JSON.stringify(first)), fingerprint }, { parsed: again, fingerprint })).toBe(true)
  })

  it('tells a member that is missing from one that is null', async () => {
    const fingerprint = { pick: ['amount'] }
    expect(await same({ parsed: {}, fingerprint }, { parsed: { amount: null }, fingerprint })).toBe(false)
  })

  it('is not led astray by names of Object.prototype', async () => {
    const fingerprint = { omit: ['a'] }
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')
    expect(await same({ parsed: hostile, fingerprint }, { parsed: { constructor: 1 }, fingerprint })).toBe(false)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(await described({ parsed: {}, fingerprint: { pick: ['toString', 'constructor.name'] } })).not.toContain(
      'Object',
    )
  })

  it('are the parts of a form that nobody has parsed, whatever their boundary', async () => {
    const form = async (amount: string, file: string) => {
      const data = new FormData()
      data.set('amount', amount)
      data.set('receipt', new File([file], 'receipt.txt'))
      data.set('trace', String(Math.random()))
      const encoded = new Response(data)
      const type = encoded.headers.get('content-type') ?? ''
      return { type, body: new Uint8Array(await encoded.arrayBuffer()), fingerprint: { pick: ['amount', 'receipt'] } }
    }
    const first = await form('1', 'paid')
    expect(await same(first, await form('1', 'paid'))).toBe(true)
    expect(await same(first, await form('2', 'paid'))).toBe(false)
    expect(await same(first, await form('1', 'owed'))).toBe(false)
  })

  it('are nothing that a broken form has: its bytes count', async () => {
    const sent = { type: 'multipart/form-data; boundary=x', fingerprint: { pick: ['a'] } }
    expect(await same({ ...sent, body: bytes('no form') }, { ...sent, body: bytes('another') })).toBe(false)
  })

  it('must be named for multipart bodies, which differ each time they are sent', async () => {
    const type = 'multipart/form-data; boundary=x'
    await expect(described({ type, parsed: { a: 1 } })).rejects.toThrow(Refusal)
    expect(
      await same(
        { type, parsed: first, fingerprint: { pick: ['amount'] } },
        { type, parsed: other, fingerprint: { pick: ['amount'] } },
      ),
    ).toBe(true)
  })
})
