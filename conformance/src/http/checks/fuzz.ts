/** Whatever bytes arrive: the answer is one of those that are described, no request hangs, and no key runs twice. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { forAll } from '../../store/tools/property.ts'
import { settings } from '../../store/tools/settings.ts'
import type { BindingCheck } from '../check.ts'

/** Two requests each, so that a binding is fuzzed in a second. */
const RUNS = Math.ceil(settings.runs / 4)

/** 400, 413, 415 and 431 are also what servers and parsers answer. */
const expected = [201, 400, 413, 415, 431]

/** Any byte but those that end a line, which would make it another request. */
const fieldByte = fc.integer({ min: 0, max: 0xff }).filter((byte) => byte !== 0x0a && byte !== 0x0d)
const fieldValue = fc.oneof(
  fc.array(fieldByte, { maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes)),
  fc.string({ unit: fc.constantFrom('"', '\\', 'k', ';', ',', ' ', '=', '\t', 'é'), maxLength: 12 }),
)

const key = fc.oneof(
  fc.uuid(),
  fc.uuid().map((id) => `"${id}"`),
  fieldValue,
  fc.constant('k'.repeat(256)),
)

const contentType = fc.oneof(
  fc.constantFrom(
    'application/json',
    'application/json; charset=utf-8',
    'application/vnd.api+json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/octet-stream',
    '',
  ),
  fieldValue,
)

const body = fc.oneof(
  fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc
    .string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '1', 'e', '9', '\\', 'u', 'd8', '__proto__'),
      maxLength: 40,
    })
    .map((text) => Buffer.from(text)),
  fc.constantFrom('{ }', '[ ]', '&', ' ').map((text) => Buffer.from(text)),
  fc.constantFrom('['.repeat(5_000), `${'['.repeat(3_000)}${']'.repeat(3_000)}`).map((text) => Buffer.from(text)),
)

export const fuzzed = fc.record({
  keys: fc.oneof({ weight: 8, arbitrary: fc.tuple(key) }, { weight: 1, arbitrary: fc.array(key, { maxLength: 3 }) }),
  type: contentType,
  encoding: fc.option(fc.oneof(fc.constantFrom('gzip', 'identity', 'br'), fieldValue), { nil: undefined }),
  body,
})

export type Fuzzed = typeof fuzzed extends fc.Arbitrary<infer Value> ? Value : never

/** Written by hand, so that nothing between the fuzz and the server makes it proper. */
export function bytesOf({ keys, type, encoding, body: content }: Fuzzed, id: string): Buffer {
  const head = [
    'POST /mine HTTP/1.1',
    'Host: a',
    'Connection: close',
    `X-User: ${id}`,
    `X-Case: ${id}`,
    ...keys.map((each) => `Idempotency-Key: ${each}`),
    `Content-Type: ${type}`,
    ...(encoding === undefined ? [] : [`Content-Encoding: ${encoding}`]),
    `Content-Length: ${content.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), content])
}

export const fuzzChecks: readonly BindingCheck[] = [
  {
    id: 'fuzz-requests',
    title: 'whatever bytes are sent, they are answered, with no error of the server, and none is run twice',
    needs: ['the wire of HTTP/1.1'],
    run: (client) =>
      forAll(fuzzed, RUNS, async (request) => {
        const id = randomUUID()
        const bytes = bytesOf(request, id)
        const [first, again] = [await client.raw([bytes]), await client.raw([bytes])].map((answer) =>
          answer.toString('latin1'),
        )
        const [status, statusAgain] = [first, again].map((answer) =>
          Number(/^HTTP\/1\.1 (\d+)/.exec(answer ?? '')?.[1]),
        )
        assert.ok(expected.includes(status ?? 0), `${first || 'nothing'}\nto ${bytes.toString('latin1')}`)
        assert.equal(statusAgain, status)
        if (status === 201) assert.match(again ?? '', /\r\nIdempotency-Replayed: true\r\n/i)
        assert.equal(await client.runs(id), status === 201 ? 1 : 0)
      }),
  },
]
