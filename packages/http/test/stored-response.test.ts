import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { IdempotencyUndecodableError } from '@retryproof/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { replayOf, responseSerializer, storable } from '../src/guard/answer/stored-response.ts'
import type { HeaderField, HttpResponse } from '../src/protocol/exchange.ts'

const { serialize, deserialize } = responseSerializer
const record = (head: unknown, body = '') => new TextEncoder().encode(`${JSON.stringify(head)}\n${body}`)

describe('a stored response', () => {
  it('comes back byte for byte', () => {
    const value = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f && (code < 0x80 || code > 0x9f))
        .map((code) => String.fromCharCode(code)),
    })
    const field = fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,20}$/), value)
    const response = fc.record({
      status: fc.integer({ min: 200, max: 599 }),
      headers: fc.array(field),
      body: fc.uint8Array(),
    })
    fc.assert(
      fc.property(response, (given) => {
        const { status, headers, body } = deserialize(serialize(given)) as HttpResponse
        expect({ status, headers, body: [...body] }).toEqual({ ...given, body: [...given.body] })
      }),
    )
  })

  it('has the hidden class of any other when it is read: a class of its own would stay until the next full collection', () => {
    setFlagsFromString('--allow-natives-syntax')
    const share = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
      one: object,
      other: object,
    ) => boolean
    const read = () => deserialize(record({ status: 200, headers: [['a', 'b']] }, 'body')) as HttpResponse
    expect(share(read(), read())).toBe(true)
    expect(share(replayOf(read(), 'Replayed'), replayOf(read(), 'Replayed'))).toBe(true)
  })

  it('costs a binary body nothing', () => {
    const body = new Uint8Array(10_000).fill(0xff)
    expect(serialize({ status: 200, headers: [], body }).length).toBeLessThan(10_100)
  })

  it.each([
    ['no line', new TextEncoder().encode('{"status":200,"headers":[]}')],
    ['a status that is none', record({ status: 99, headers: [] })],
    ['a status as text', record({ status: '200', headers: [] })],
    ['no headers', record({ status: 200 })],
    ['a header that would end the head', record({ status: 200, headers: [['X', 'a\r\nSet-Cookie: b']] })],
    ['a name that is none', record({ status: 200, headers: [['X Y', 'a']] })],
    ['a header of three', record({ status: 200, headers: [['X', 'a', 'b']] })],
    ['no JSON', new TextEncoder().encode('200\nhello')],
  ])('is refused when it has %s', (_, bytes) => {
    expect(() => (deserialize(bytes) as HttpResponse).status || expect.unreachable()).toThrow()
  })

  it('is not made of what another part of the application recorded', () => {
    for (const value of ['a text', { status: 201 }, 7]) {
      expect(() => replayOf(value as unknown as HttpResponse, 'Idempotency-Replayed')).toThrow(
        IdempotencyUndecodableError,
      )
    }
  })

  it('keeps nothing that belongs to one connection, one moment or one client', () => {
    const kept: HeaderField[] = [
      ['Content-Type', 'text/plain'],
      ['Link', '<a>'],
      ['Link', '<b>'],
      ['Location', '/x'],
    ]
    const dropped: HeaderField[] = [
      ['Set-Cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['Date', 'now'],
      ['Content-Length', '3'],
      ['Connection', 'keep-alive, X-Hop,\tX-Two'],
      ['X-Hop', '1'],
      ['X-Two', '2'],
      ['Authentication-Info', 'nextnonce="a"'],
      ['Clear-Site-Data', '"cookies"'],
      ['Age', '7'],
      ['Server-Timing', 'db;dur=53'],
      ['Keep-Alive', 'timeout=5'],
      ['Transfer-Encoding', 'chunked'],
      ['Trailer', 'X'],
      ['TE', 'trailers'],
      ['Upgrade', 'h2c'],
      ['Proxy-Authenticate', 'Basic'],
      ['Idempotency-Replayed', 'true'],
      ['Idempotent-Replayed', 'true'],
    ]
    const body = new Uint8Array()
    expect(storable({ status: 200, headers: [...dropped, ...kept], body })).toEqual({
      status: 200,
      headers: kept,
      body,
    })
  })
})
