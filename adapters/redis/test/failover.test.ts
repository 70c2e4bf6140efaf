import { describe, expect, test } from 'vitest'
import { unavailable } from '../../../scripts/services.mjs'
import { failover } from '../drills/failover.ts'

const missing = await unavailable('redis')

describe.skipIf(missing)('C-12 a primary that is killed under load', () => {
  const kept = { tokensFell: 0, staleAccepted: 0 }

  test.concurrent('a Sentinel failover that loses acknowledged writes', { timeout: 120_000 }, async () => {
    const report = await failover({ shape: 'redis-sentinel', keys: 80, cut: true })
    expect(report).toMatchObject(kept)
    expect(report.secondHolders).toBeGreaterThan(0)
    expect(report.traced).toBe(report.secondHolders)
  })

  test.concurrent('with durability, what was lost had not been acknowledged', { timeout: 120_000 }, async () => {
    const durability = { replicas: 1, timeout: 100 }
    const report = await failover({ shape: 'redis-sentinel', keys: 80, cut: true, durability })
    expect(report).toMatchObject({ ...kept, secondHolders: 0 })
    expect(report.acknowledged).toBeGreaterThan(0)
    expect(report.unknown).toBeGreaterThan(0)
  })

  test.concurrent('a Cluster that replaces it', { timeout: 120_000 }, async () => {
    const report = await failover({ shape: 'redis-cluster', keys: 80, cut: false })
    expect(report).toMatchObject(kept)
    expect(report.traced).toBe(report.secondHolders)
    expect(report.acknowledged).toBeGreaterThan(40)
  })
})
