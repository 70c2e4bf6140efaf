/** Generates messages: half of them good, half of them what no handler can handle, with headers as hostile as a broker takes. */
import fc from 'fast-check'
import type { RawMessage } from './place.ts'

/** Is the header by which a drill knows a message again. */
export const NUMBER_HEADER = 'drill-number'

export interface GeneratedMessage extends RawMessage {
  /** Is the id whose effect must be there once; undefined for a message that must become a dead letter. */
  readonly effect?: string
  /** Is the reason of its dead letter. */
  readonly reason?: string
  /** Says how often it is published. */
  readonly copies: number
}

type Draft = Omit<GeneratedMessage, 'headers' | 'copies'>

/** Shapes of messages, each for a number. */
type Shape = (n: number) => Draft

export interface Limits {
  /** Says whether headers are allowed at all. */
  readonly headers: boolean
  /** Says whether a body may be any bytes, and empty. */
  readonly bytes: boolean
  /** Bounds the headers of a message, in bytes. */
  readonly maxHeaders: number
  /** Bounds the names of headers. */
  readonly maxNames: number
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const good =
  (kind: string): Shape =>
  (n) => ({ body: json({ id: `order-${n}`, kind }), effect: `order-${n}` })
const bad =
  (reason: string, body: (n: number) => Buffer): Shape =>
  (n) => ({ body: body(n), reason })

const shapes: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 48, arbitrary: fc.constant(good('plain')) },
  { weight: 2, arbitrary: fc.constantFrom(good('fails-once'), good('odd-once'), good('released-once')) },
  { weight: 1, arbitrary: fc.constant(good('hangs-once')) },
  {
    weight: 10,
    arbitrary: fc
      .string({ maxLength: 200, unit: 'grapheme-ascii' })
      .map((text) => bad('unreadable', (n) => Buffer.from(`#${n} ${text}`))),
  },
  { weight: 8, arbitrary: fc.constant(bad('no-id', (n) => json({ number: n }))) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(null, '', [])
      .map((id) => bad(Array.isArray(id) ? 'invalid' : 'no-id', () => json({ id }))),
  },
  {
    weight: 6,
    arbitrary: fc
      .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.dictionary(fc.string(), fc.string()))
      .map((id) => bad('invalid', () => json({ id }))),
  },
  { weight: 5, arbitrary: fc.constant(bad('invalid', (n) => json({ id: `${n} ${'x'.repeat(10_000)}` }))) },
  { weight: 3, arbitrary: fc.constant(bad('invalid', () => Buffer.from('{"id":"\\ud800"}'))) },
  { weight: 4, arbitrary: fc.constant(bad('unreadable', () => Buffer.from('null'))) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('poison', 'terminal', 'reused')
      .map((kind) => bad('failed', (n) => json({ id: `bad-${n}`, kind, isPoison: true }))),
  },
  { weight: 1, arbitrary: fc.constant(bad('max-attempts', (n) => json({ id: `bad-${n}`, kind: 'odd' }))) },
)

const bytes = fc
  .uint8Array({ maxLength: 50 })
  .map((body) => bad('unreadable', () => Buffer.concat([Buffer.from([0xff]), body])))

function headersOf({ headers, maxHeaders, maxNames }: Limits): fc.Arbitrary<Readonly<Record<string, string>>> {
  if (!headers) return fc.constant({})
  const name = fc.oneof(
    fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype)),
    fc.constantFrom('retryproof-reason', 'retryproof-id', 'retryproof-round', 'x-delivery-count', 'priority'),
    fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/),
  )
  const value = fc.oneof(
    fc.stringMatching(/^[ -~]{1,60}$/).map((text) => text.trim() || 'x'),
    fc.constantFrom('9007199254740991', '-1', 'NaN', 'order-1'),
    fc.integer({ min: 1, max: maxHeaders }).map((length) => 'x'.repeat(length)),
  )
  return fc
    .array(fc.tuple(name, value), { maxLength: maxNames })
    .map((entries) => Object.fromEntries(withinLimit(entries, maxHeaders)))
}

function withinLimit(entries: readonly [string, string][], max: number): [string, string][] {
  let left = max
  return entries.filter(([name, value]) => {
    left -= name.length + value.length + 50
    return left > 0
  })
}

/** Generates so many messages. The same seed and limits give the same ones. */
export function generateMessages(count: number, seed: number, limits: Limits): readonly GeneratedMessage[] {
  const shape = limits.bytes ? fc.oneof({ weight: 95, arbitrary: shapes }, { weight: 5, arbitrary: bytes }) : shapes
  const message = fc.record({ shape, headers: headersOf(limits), copies: fc.integer({ min: 1, max: 3 }) })
  return fc.sample(message, { numRuns: count, seed }).map(({ shape: draft, headers, copies }, n) => {
    const { reason, ...drafted } = draft(n)
    // each copy of a message without an id of its own would be a dead letter of its own
    const told = reason === undefined ? { copies } : { reason, copies: 1 }
    return { ...drafted, ...told, headers: limits.headers ? { ...headers, [NUMBER_HEADER]: String(n) } : {} }
  })
}
