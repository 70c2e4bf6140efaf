import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Duration, MAX_DURATION_MS, retention, toMs } from '../src/base/durations.ts'
import { IdempotencyInvalidOptionError } from '../src/errors.ts'

const unitsInMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const anyUnit = fc.constantFrom('ms', 's', 'm', 'h', 'd')

test.each<[Duration, number]>([
  [0, 0],
  [250, 250],
  [1.2, 2],
  ['250ms', 250],
  ['30s', 30_000],
  ['15m', 900_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  ['1.5h', 5_400_000],
  ['1.005s', 1005],
  [MAX_DURATION_MS, MAX_DURATION_MS],
])('%s is %d ms', (duration, ms) => {
  expect(toMs('lease', duration)).toBe(ms)
})

test('the presets', () => {
  expect(Object.entries(retention).map(([name, duration]) => [name, toMs(name, duration)])).toEqual([
    ['chat', 900_000],
    ['upload', 3_600_000],
    ['payment', 86_400_000],
    ['business', 172_800_000],
    ['queue', 604_800_000],
    ['financial', 2_592_000_000],
  ])
})

test('a text says as much as its number of milliseconds', () => {
  fc.assert(
    fc.property(fc.nat({ max: 36_500 }), anyUnit, (count, unit) => {
      expect(toMs('lease', `${count}${unit}`)).toBe(count * unitsInMs[unit])
    }),
  )
})

test('a number is rounded up to whole milliseconds, or refused with its bounds', () => {
  fc.assert(
    fc.property(fc.double(), fc.nat(), fc.nat(), (duration, min, more) => {
      const max = min + more
      if (duration >= min && duration <= max) expect(toMs('lease', duration, { min, max })).toBe(Math.ceil(duration))
      else expect(() => toMs('lease', duration, { min, max })).toThrow(IdempotencyInvalidOptionError)
    }),
  )
})

describe('what is no duration is refused by the name of its option', () => {
  const notDurations: unknown[] = [
    -1,
    -0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    MAX_DURATION_MS + 1,
    '36526d',
    '-1s',
    '1e3ms',
    '0x10s',
    '1,5s',
    '5 s',
    '5',
    's',
    '',
    '1w',
    '٣s',
    '5s\n',
    null,
    undefined,
    true,
    {},
    [5],
    5n,
  ]
  test.each(notDurations)('%s', (duration) => {
    expect(() => toMs('retention', duration as Duration)).toThrow(
      expect.objectContaining({
        code: 'IDEMPOTENCY_INVALID_OPTION',
        option: 'retention',
        message: expect.stringMatching(/^retention: must be /),
      }),
    )
  })

  test('the message shows a text as one', () => {
    expect(() => toMs('lease', '30' as Duration)).toThrow("or '7d', got '30'")
  })

  test('the message says the bounds as people write them', () => {
    expect(() => toMs('retention', '1ms', { min: 1000, max: 86_400_000 })).toThrow(
      'retention: must be between 1s and 1d, got 1ms',
    )
  })
})
