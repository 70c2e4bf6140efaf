import { trace } from '@opentelemetry/api'
import { describe, expect, onTestFinished, test } from 'vitest'
import { attributes, instrument, instrumentStore, metrics, spanAttributes } from '../src/index.ts'
import { NAMESPACE, OPERATION, openWorld, playEverything, SECRET_KEY } from './scenario.ts'
import { openSdk } from './sdk.ts'

async function playInstrumented() {
  const sdk = openSdk()
  onTestFinished(async () => {
    await sdk.close()
  })
  const world = openWorld((store) => instrumentStore(store, sdk))
  const stop = instrument(world.idempotency, sdk)
  await playEverything(world)
  return { sdk, world, stop }
}

describe('metrics', () => {
  test('count what happened, no more and no less', async () => {
    const { sdk } = await playInstrumented()
    const totals = {
      [metrics.executions]: 8,
      [metrics.replays]: 2,
      [metrics.conflicts]: 1,
      [metrics.keyReuses]: 1,
      [metrics.takeovers]: 2,
      [metrics.leaseLosses]: 2,
      [metrics.unrecorded]: 1,
      [metrics.parked]: 1,
      [metrics.recoveryFailures]: 1,
    }
    const counted = await Promise.all(Object.keys(totals).map(async (name) => [name, await sdk.total(name)]))
    expect(Object.fromEntries(counted)).toEqual(totals)
    expect(await sdk.total(metrics.leaseRenewals)).toBeGreaterThan(0)
    expect(await sdk.total(metrics.storeErrors)).toBeGreaterThan(0)
  })

  test('say which operation, and how attempts ended', async () => {
    const { sdk } = await playInstrumented()
    const [replays] = await sdk.points(metrics.replays)
    expect(replays?.attributes).toEqual({ [attributes.namespace]: NAMESPACE, [attributes.operation]: OPERATION })
    const ended = await sdk.points(metrics.attemptDuration)
    const outcomes = Object.fromEntries(ended.map((point) => [point.attributes[attributes.outcome], point.value]))
    expect(outcomes).toEqual({ completed: 3, failed: 1, released: 1 })
    const errors = await sdk.points(metrics.storeErrors)
    expect(errors.map((point) => point.attributes[attributes.errorType])).toContain('IDEMPOTENCY_STORE_UNAVAILABLE')
  })

  test('time the store, call by call', async () => {
    const { sdk } = await playInstrumented()
    const points = await sdk.points(metrics.storeDuration)
    const seen = points.map(({ attributes: told }) =>
      [attributes.storeCall, attributes.storeChange, attributes.storeOutcome, attributes.errorType]
        .map((name) => told[name] ?? '-')
        .join(' '),
    )
    for (const expected of [
      'begin - acquired -',
      'begin - settled -',
      'begin - mismatch -',
      'begin - in_progress -',
      'transition completed ok -',
      'transition completed lost -',
      'transition completed - IDEMPOTENCY_STORE_UNAVAILABLE',
      'transition renew ok -',
    ]) {
      expect(seen).toContain(expected)
    }
  })

  test('end when they are stopped', async () => {
    const { sdk, world, stop } = await playInstrumented()
    const before = await sdk.total(metrics.executions)
    stop()
    world.setDown(false)
    await world.idempotency.run(world.call('after'), () => 1)
    expect(await sdk.total(metrics.executions)).toBe(before)
  })

  test('of many operations, at most 200 are told apart', async () => {
    const sdk = openSdk()
    const { idempotency } = openWorld()
    instrument(idempotency, sdk)
    for (let i = 0; i < 250; i++) {
      const operation = `operation ${'abcdefghij'[i % 10]}${'abcdefghijklmnopqrstuvwxyz'[Math.floor(i / 10)]}`
      await idempotency.run({ operation, scope: 'ann', key: 'k' }, () => 1)
    }
    const points = await sdk.points(metrics.executions)
    expect(points).toHaveLength(201)
    expect(points.find((point) => point.attributes[attributes.operation] === '_other')?.value).toBe(50)
    await sdk.close()
  })
})

describe('spans', () => {
  test('an attempt is a span inside its call, and so are the calls of the store', async () => {
    const sdk = openSdk()
    const { idempotency, call } = openWorld((store) => instrumentStore(store, sdk))
    instrument(idempotency, sdk)
    const run = () => idempotency.run(call(SECRET_KEY), () => 'charged')
    await sdk.tracer.startActiveSpan('first', async (span) => run().finally(() => span.end()))
    await sdk.tracer.startActiveSpan('second', async (span) => run().finally(() => span.end()))

    const spans = sdk.spans()
    const named = (name: string) => spans.filter((span) => span.name === name)
    const [attempt] = named(`attempt ${OPERATION}`)
    const [first] = named('first')
    const [second] = named('second')
    expect(attempt?.parentSpanContext?.spanId).toBe(first?.spanContext().spanId)
    expect(attempt?.attributes).toMatchObject({
      [attributes.operation]: OPERATION,
      [attributes.outcome]: 'completed',
      [spanAttributes.attempt]: 1,
    })
    expect(named(`attempt ${OPERATION}`)).toHaveLength(1)
    expect(named('store begin').map((span) => span.attributes[attributes.storeOutcome])).toEqual([
      'acquired',
      'settled',
    ])
    expect(second?.events.map(({ name }) => name)).toEqual(['retryproof.replayed'])
    await sdk.close()
  })

  test('what a driver traces is a child of the store call', async () => {
    const sdk = openSdk()
    const { idempotency, call } = openWorld((store) =>
      instrumentStore(
        {
          ...store,
          begin: (key, claim) =>
            sdk.tracer.startActiveSpan('driver', (span) => store.begin(key, claim).finally(() => span.end())),
        },
        sdk,
      ),
    )
    await idempotency.run(call('k'), () => 1)
    const driver = sdk.spans().find(({ name }) => name === 'driver')
    const begin = sdk.spans().find(({ name }) => name === 'store begin')
    expect(driver?.parentSpanContext?.spanId).toBe(begin?.spanContext().spanId)
    await sdk.close()
  })

  test('errors are marked, and what is lost ends', async () => {
    const { sdk } = await playInstrumented()
    const attempts = sdk.spans().filter(({ name }) => name.startsWith('attempt '))
    const outcomes = attempts.map((span) => span.attributes[attributes.outcome])
    expect(outcomes.sort()).toEqual(
      ['completed', 'completed', 'completed', 'failed', 'lease_lost', 'lease_lost', 'released', 'unrecorded'].sort(),
    )
    const marked = attempts.filter((span) => span.status.code !== 0).map((span) => span.attributes[attributes.outcome])
    expect([...new Set(marked)].sort()).toEqual(['failed', 'lease_lost', 'unrecorded'])
  })
})

test('no key and no payload of a client is in any metric or span', async () => {
  const { sdk } = await playInstrumented()
  const told: unknown[] = sdk.spans().map((span) => [span.name, span.attributes, span.events, span.status])
  for (const name of Object.values(metrics)) told.push(await sdk.points(name))
  const text = JSON.stringify(told)
  expect(text).toContain(OPERATION)
  expect(text).not.toContain(SECRET_KEY)
  expect(text).not.toContain('charged')
})

test('without an SDK nothing is measured, and nothing is in the way', async () => {
  const world = openWorld((store) => instrumentStore(store))
  instrument(world.idempotency)
  expect(trace.getActiveSpan()).toBeUndefined()
  await expect(world.idempotency.run(world.call('k'), () => 'charged')).resolves.toMatchObject({ value: 'charged' })
})
