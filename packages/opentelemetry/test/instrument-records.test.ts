import { expect, onTestFinished, test } from 'vitest'
import { attributes, instrumentRecords, metrics } from '../src/index.ts'
import { openWorld, playEverything } from './scenario.ts'
import { openSdk } from './sdk.ts'

async function openRecords() {
  const sdk = openSdk()
  onTestFinished(async () => {
    await sdk.close()
  })
  const world = openWorld()
  await playEverything(world)
  return { sdk, world }
}

test('gauges say how many records there are by state, how many are stuck, and for how long', async () => {
  const { sdk, world } = await openRecords()
  world.pass(60_000)
  const stop = instrumentRecords(world.idempotency, sdk)
  await world.idempotency.count()
  const states = new Map<unknown, number>()
  for (const { attributes: told, value } of await sdk.points(metrics.records)) {
    expect(told).toMatchObject({
      [attributes.namespace]: 'payments',
      [attributes.operationSlug]: 'post-charges',
    })
    states.set(told[attributes.state], value)
  }
  expect(Object.fromEntries(states)).toEqual({ completed: 3, failed: 1, released: 1, parked: 1, 'in-progress': 1 })
  expect(await sdk.total(metrics.stuckRecords)).toBe(1)
  expect(await sdk.total(metrics.stuckAge)).toBe(30)
  stop()
})

test('a store that cannot be counted has no gauges, and is no reason to fail', async () => {
  const sdk = openSdk()
  const idempotency = { namespace: 'payments', count: () => Promise.reject(new Error('down')) }
  const stop = instrumentRecords(idempotency, sdk)
  await Promise.resolve()
  expect(await sdk.points(metrics.stuckRecords)).toEqual([])
  stop()
  await sdk.close()
  expect(() => instrumentRecords(idempotency, { every: 1 })).toThrow(/every/)
})

test('operations beyond the limit are added up as one', async () => {
  const sdk = openSdk()
  const count = async () =>
    ['a', 'b', 'c'].map((operation) => ({
      operation,
      state: 'completed' as const,
      records: 2,
      leaseExpired: 0,
      longestExpiredMs: 0,
    }))
  const stop = instrumentRecords({ namespace: 'payments', count }, { ...sdk, maxOperations: 1 })
  await count()
  const points = await sdk.points(metrics.records)
  expect(points.map(({ attributes: told, value }) => [told[attributes.operationSlug], value])).toEqual([
    ['a', 2],
    ['_other', 4],
  ])
  stop()
  await sdk.close()
})
