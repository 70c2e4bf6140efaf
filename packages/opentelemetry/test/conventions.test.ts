/** Names against the semantic conventions in force, as their own package has them. */
import * as stable from '@opentelemetry/semantic-conventions'
import * as incubating from '@opentelemetry/semantic-conventions/incubating'
import { expect, test } from 'vitest'
import { attributes, instrument, instrumentRecords, instrumentStore, metrics, spanAttributes } from '../src/index.ts'
import { openWorld, playEverything } from './scenario.ts'
import { openSdk } from './sdk.ts'

const conventional = new Set<string>(
  Object.values({ ...incubating, ...stable }).filter((each) => typeof each === 'string'),
)
const attributeNames = [...Object.values(attributes), ...Object.values(spanAttributes)]
const metricNames = Object.values(metrics)
const own = [...attributeNames, ...metricNames].filter((name) => name !== attributes.errorType)

test('what the conventions name has their name, and every other name is in a namespace that they leave alone', () => {
  expect(conventional.size).toBeGreaterThan(500)
  expect(attributes.errorType).toBe(stable.ATTR_ERROR_TYPE)
  expect([...conventional].filter((name) => name.startsWith('retryproof'))).toEqual([])
  expect(own.filter((name) => conventional.has(name))).toEqual([])
})

test('names are lower-case words with underscores, joined by dots', () => {
  for (const name of own) expect(name).toMatch(/^retryproof(\.[a-z]+(_[a-z]+)*)+$/)
})

test.each([
  ['attribute', attributeNames],
  ['metric', metricNames],
])('no %s has the name of a namespace of another', (_, names) => {
  const namespaces = names.flatMap((name) => {
    const parts = name.split('.')
    return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join('.'))
  })
  expect(names.filter((name) => namespaces.includes(name))).toEqual([])
})

test('counters have no suffix, plural names count things, and seconds are durations or ages', async () => {
  const sdk = openSdk()
  const world = openWorld((store) => instrumentStore(store, sdk))
  instrument(world.idempotency, sdk)
  await playEverything(world)
  const stop = instrumentRecords(world.idempotency, sdk)
  await world.idempotency.count()
  const descriptors = await sdk.descriptors()
  stop()
  await sdk.close()
  expect(descriptors.map(({ name }) => name).sort()).toEqual([...metricNames].sort())
  for (const { name, unit, description } of descriptors) {
    expect(name).not.toMatch(/[._](total|count|seconds|ms)$/)
    expect(description).toMatch(/^[A-Z].*\.$/)
    expect([name, /\.(duration|age)$/.test(name) ? 's' : unit]).toEqual([name, unit])
    // UCUM's annotation: one thing that is counted
    if (unit !== 's') expect([name, unit]).toEqual([name, expect.stringMatching(/^\{[a-z]+[^s]\}$/)])
  }
})
