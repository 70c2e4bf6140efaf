import { expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { slotMove } from '../drills/slot-move.ts'

const missing = await unavailable('redis-cluster')

test.skipIf(missing)('a slot that moves during concurrent histories', { timeout: 300_000 }, async () => {
  const cluster = await startService('redis-cluster')
  const { moves, flushes } = await slotMove(cluster.nodes)
  expect(moves).toBeGreaterThan(3)
  expect(flushes).toBeGreaterThan(1)
  await cluster.stop()
})
