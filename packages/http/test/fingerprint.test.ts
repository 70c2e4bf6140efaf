import { IdempotencyInvalidOptionError } from '@retryproof/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeRequest, requireCountable } from '../src/guard/request/fingerprint.ts'
import type { FingerprintMembers } from '../src/guard/request/fingerprint-option.ts'
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
  readonly fingerprint?: FingerprintMembers
}

/** The fingerprinted content as text, so that two can be compared. */
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
  const payload = await describeRequest(request, await readBody(request, 1000), fingerprint)
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
    ['decimals beyond a double', '{"eth":0.123456789012345678}', '{"eth":0.123456789012345679}'],
    ['numbers of a lossy middle', '{"a":4503599627370497.5}', '{"a":4503599627370498}'],
    ['numbers that a double takes for 0', '{"a":1e-400}', '{"a":0}'],
    ['-0 and 0', '{"a":-0}', '{"a":0}'],
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

  it('includes the charset, except the one that JSON has, and the content coding', async () => {
    const text = { body: bytes('a1b2'), type: 'text/plain' }
    expect(await same({ ...text, type: 'text/plain; charset=UTF-16LE' }, text)).toBe(false)
    expect(
      await same({ ...text, type: 'text/plain; charset=utf-8' }, { ...text, type: 'text/plain;charset=UTF-8' }),
    ).toBe(true)
    const json = { body: bytes('{}') }
    expect(await same({ ...json, type: 'application/json; charset=utf-16' }, json)).toBe(false)
    const coded = (coding: string) => ({
      ...text,
      headers: [
        ['Content-Type', 'text/plain'],
        ['Content-Encoding', coding],
      ] as const,
    })
    expect(await same(coded('br'), text)).toBe(false)
    expect(await same(coded('identity'), text)).toBe(true)
  })

  it('includes method, target with its query, and media type, but no other parameter', async () => {
    const body = bytes('{}')
    expect(await same({ body, method: 'PATCH' }, { body })).toBe(false)
    expect(await same({ body, target: '/charges?amount=1' }, { body, target: '/charges?amount=1000' })).toBe(false)
    expect(await same({ body, type: 'application/json; profile=a' }, { body })).toBe(true)
    expect(await same({ body, type: 'text/plain' }, { body })).toBe(false)
    expect(await same({ body, type: 'Application/JSON; charset=utf-8' }, { body })).toBe(true)
  })

  it('is never the same for two ways of counting', async () => {
    const parsed = { a: 1 }
    expect(await same({ parsed, fingerprint: { pick: ['a'] } }, { parsed })).toBe(false)
  })

  it('is that of the whole body where none of the members to omit is in it', async () => {
    const omit = { omit: ['coupon', 'customer.seen'] }
    for (const sent of [{ parsed: { a: 1 } }, { body: bytes('{"b":2,"a":0.1234567890123456789}') }]) {
      expect(await same({ ...sent, fingerprint: omit }, sent)).toBe(true)
      expect(await same({ ...sent, fingerprint: { omit: [] } }, sent)).toBe(true)
    }
    const form = { type: 'application/x-www-form-urlencoded', parsed: new URLSearchParams('a=1&b=2') }
    expect(await same({ ...form, fingerprint: omit }, form)).toBe(true)
  })

  const kinds: [string, (text: string) => unknown][] = [
    ['lone surrogates', (text) => `\ud800${text}`],
    ['BigInt', (text) => BigInt(text)],
    ['-0 and NaN', (text) => (text === '1' ? -0 : Number.NaN)],
    ['undefined and null', (text) => (text === '1' ? [undefined] : [null])],
    ['dates', (text) => new Date(Number(text))],
    ['dates that are not valid', (text) => (text === '1' ? new Date(Number.NaN) : null)],
    ['URLSearchParams', (text) => new URLSearchParams({ text })],
    ['Map', (text) => new Map([['text', text]])],
    ['Set', (text) => new Set([text])],
    ['FormData', (text) => formOf({ text })],
    ['files of FormData by content', (text) => formOf({ text: new File([text], 'a.txt') })],
    ['files of FormData by name', (text) => formOf({ text: new File(['a'], text) })],
    ['files of FormData by type', (text) => formOf({ text: new File(['a'], 'a', { type: `text/x${text}` }) })],
    ['Blob', (text) => new Blob([text])],
    ['ArrayBuffer', (text) => bytes(text).buffer],
    ['typed arrays', (text) => new Uint16Array([Number(text)])],
    ['Buffer', (text) => Buffer.from(text)],
    ['what says itself what it is', (text) => ({ toJSON: () => ({ text }) })],
    ['numbers of lossless-json', (value) => new LosslessNumber(`0.12345678901234567${value}`)],
  ]

  it.each(kinds)('is the content of a parsed body: %s', async (_, make) => {
    for (const inside of [(value: unknown) => ({ member: [value] }), (value: unknown) => value]) {
      const sent = (text: string) => ({ type: 'text/x', parsed: inside(make(text)) })
      expect(await same(sent('1'), sent('2'))).toBe(false)
      expect(await same(sent('1'), sent('1'))).toBe(true)
    }
  })

  it.each([
    [
      'an instance of a class',
      new (class Order {
        #amount = 1
        show = () => this.#amount
      })(),
    ],
    ['a stream', new ReadableStream()],
    ['a function', () => 1],
    ['a WeakMap', new WeakMap()],
    ['a promise', Promise.resolve(1)],
    ['an Error', new Error('parse')],
  ])('is an error of configuration where nobody can look into the parsed body: %s', async (_, parsed) => {
    await expect(described({ parsed: { nested: parsed } })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_OPTION',
      message: expect.stringMatching(
        /fingerprint.*(Order|ReadableStream|function|WeakMap|Promise|Error).*'nested'.*before that parser/,
      ),
    })
  })

  it('is not the same for a value of a parser and for plain JSON that imitates it', async () => {
    const map = { parsed: new Map([['a', 1]]) }
    for (const parsed of [{ a: 1 }, [['a', 1]], ['Map', [['a', 1]]], { Map: [['a', 1]] }]) {
      expect(await same(map, { parsed })).toBe(false)
    }
    expect(await same({ parsed: { a: 1n } }, { parsed: { a: '1' } })).toBe(false)
  })

  it('is that of the number, whichever parser kept its digits', async () => {
    for (const digits of ['0.1', '9007199254740993', '1e400', '0.12345678901234567890', '1e2', '-0']) {
      const raw = { body: bytes(`{"a":${digits}}`) }
      expect(await same(raw, { parsed: { a: new LosslessNumber(digits) } })).toBe(true)
    }
    expect(await same({ body: bytes('{"a":9007199254740993}') }, { parsed: { a: 9007199254740993n } })).toBe(true)
  })

  it('tells a JSON string from the text of another body', async () => {
    const text = '{"a":1}'
    const headers = (length: number) =>
      [
        ['Content-Type', 'application/json'],
        ['Content-Length', `${length}`],
      ] as const
    const asText = { parsed: text, headers: headers(text.length) }
    const asString = { parsed: text, headers: headers(text.length + 6) }
    expect(await same(asText, { body: bytes(text) })).toBe(true)
    expect(await same(asString, { body: bytes(text) })).toBe(false)
    expect(await same(asString, { body: bytes(JSON.stringify(text)) })).toBe(true)
  })

  it('refuses a body that is nested too deeply as the client’s fault, parsed or not', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const refused = { code: 'IDEMPOTENCY_INVALID_CALL', field: 'payload' }
    await expect(described({ body: bytes(deep) })).rejects.toMatchObject(refused)
    await expect(described({ parsed: JSON.parse(deep) as unknown })).rejects.toMatchObject(refused)
  })

  it('reads a body that nobody read, up to a limit', async () => {
    await expect(described({ read: async () => null })).rejects.toMatchObject({ reason: 'body-too-large' })
  })

  it('is an error of configuration when the body was consumed and nothing was left', async () => {
    await expect(described({})).rejects.toThrow(IdempotencyInvalidOptionError)
  })
})

/** As lossless-json makes it. */
class LosslessNumber {
  readonly isLosslessNumber = true
  readonly value: string
  constructor(value: string) {
    this.value = value
  }
}

function formOf(entries: Readonly<Record<string, string | File>>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(entries)) {
    if (typeof value === 'string') form.append(name, value)
    else form.append(name, value)
  }
  return form
}

describe('fields that count', () => {
  const first = { amount: 1, customer: { id: 7, seen: 'now' }, trace: 'x' }
  const again = { trace: 'y', customer: { seen: 'later', id: 7 }, amount: 1 }
  const other = { ...first, customer: { id: 8, seen: 'now' } }

  it.each<[string, FingerprintMembers]>([
    ['pick', { pick: ['amount', 'customer.id'] }],
    ['omit', { omit: ['trace', 'customer.seen'] }],
  ])('%s', async (_, fingerprint) => {
    expect(await same({ parsed: first, fingerprint }, { parsed: again, fingerprint })).toBe(true)
    expect(await same({ parsed: first, fingerprint }, { parsed: other, fingerprint })).toBe(false)
    expect(await same({ body: bytes(JSON.stringify(first)), fingerprint }, { parsed: again, fingerprint })).toBe(true)
  })

  it.each<[string, (amount: string, trace: string) => Sent]>([
    ['URLSearchParams', (amount, trace) => ({ parsed: new URLSearchParams({ trace, amount }) })],
    ['Map', (amount, trace) => ({ parsed: new Map(Object.entries({ trace, amount })) })],
    ['FormData', (amount, trace) => ({ parsed: formOf({ trace, amount }) })],
    [
      'a form that nobody has parsed',
      (amount, trace) => ({
        type: 'application/x-www-form-urlencoded',
        body: bytes(`trace=${trace}&amount=${amount}`),
      }),
    ],
    [
      'numbers beyond a double',
      (amount, trace) => ({ body: bytes(`{"amount":0.1234567890123456789${amount},"trace":${trace}}`) }),
    ],
  ])('are those of %s', async (_, make) => {
    for (const fingerprint of [{ pick: ['amount'] }, { omit: ['trace'] }]) {
      const sent = (amount: string, trace: string): Sent => ({
        type: 'application/json',
        ...make(amount, trace),
        fingerprint,
      })
      if ('omit' in fingerprint && sent('1', '1').parsed instanceof FormData) continue
      expect(await same(sent('1', '1'), sent('1', '2'))).toBe(true)
      expect(await same(sent('1', '1'), sent('2', '1'))).toBe(false)
    }
  })

  it('may have dots in their names', async () => {
    const fingerprint = { pick: ['customer.id'] }
    const sent = (literal: number, nested: number) => ({
      parsed: { 'customer.id': literal, customer: { id: nested } },
      fingerprint,
    })
    expect(await same(sent(1, 1), sent(2, 1))).toBe(false)
    expect(await same(sent(1, 1), sent(1, 2))).toBe(false)
  })

  it('are not looked for in what nobody can look into', async () => {
    const fingerprint = { pick: ['amount'] }
    await expect(described({ parsed: new (class Order {})(), fingerprint })).rejects.toThrow(
      IdempotencyInvalidOptionError,
    )
  })

  it('are all members where a member stands twice', async () => {
    const fingerprint = { pick: ['amount'] }
    const twice = { body: bytes('{"amount":1,"amount":1000}'), fingerprint }
    expect(await same(twice, { body: bytes('{"amount":2,"amount":1000}'), fingerprint })).toBe(false)
    expect(await same(twice, twice)).toBe(true)
  })

  it('may be files that a parser put elsewhere', async () => {
    const type = 'multipart/form-data; boundary=x'
    const fingerprint = { pick: ['amount', 'receipt'] }
    const sent = (file: { name?: string; type?: string; content?: string }) => ({
      type,
      fingerprint,
      parsed: { amount: '1' },
      files: [
        { field: 'receipt', name: 'a.txt', type: 'text/plain', digest: async () => file.content ?? 'c', ...file },
      ],
    })
    expect(await same(sent({}), sent({}))).toBe(true)
    for (const other of [{ name: 'b.txt' }, { type: 'text/html' }, { content: 'd' }]) {
      expect(await same(sent({}), sent(other))).toBe(false)
    }
    expect(await same(sent({}), { ...sent({}), files: [] })).toBe(false)
    await expect(described({ type, fingerprint, parsed: { amount: '1' } })).rejects.toThrow(/picks 'receipt'/)
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
