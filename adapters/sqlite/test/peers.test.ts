/** Defects of other libraries, by the ids under which they were catalogued: each was reproduced there, and must not be here. */
import { expect, test } from 'vitest'
import { sqliteStore } from '../src/index.ts'
import { bytes, claim, HOUR_MS } from './claim.ts'
import { open, storeAt } from './support.ts'

test('IDJ 9: of many expired records that nobody purged, none answers', async () => {
  const { clock, store } = await storeAt(1_000_000)
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
  const tokens = new Map<string, number>()
  for (const key of keys) {
    const { token } = await store.begin(key, claim())
    await store.transition(key, token, { to: 'completed', result: bytes('old'), retentionMs: HOUR_MS })
    tokens.set(key, token)
  }
  clock.ms += HOUR_MS

  for (const key of keys) {
    const token = tokens.get(key) ?? 0
    expect(await store.get(key)).toBeNull()
    const late = await store.transition(key, token, { to: 'renew', leaseMs: 1_000 })
    expect(late).toEqual({ outcome: 'lost', current: null })
    const begun = await store.begin(key, claim({ owner: 'two', fingerprint: 'another' }))
    expect(begun).toMatchObject({ outcome: 'acquired', attempt: 1, result: null })
    expect(begun.token).toBeGreaterThan(token)
  }
})

test('PT 11: what a caller does to bytes that it gave or got changes no record', async () => {
  const { store } = await storeAt(1_000_000)
  const [request, result] = [bytes('request'), bytes('result')]
  const { token } = await store.begin('k', claim({ request }))
  request.fill(0)
  await store.transition('k', token, { to: 'completed', result, retentionMs: HOUR_MS })
  result.fill(0)
  const seen = await store.get('k')
  expect(seen).toMatchObject({ request: bytes('request'), result: bytes('result') })
  seen?.result?.fill(0)
  expect(await store.begin('k', claim())).toMatchObject({ outcome: 'settled', result: bytes('result') })
})

test('EI 3, UI 1: of ten begins at once on ten connections, one acquires', async () => {
  const { file } = await storeAt(1_000_000)
  const stores = Array.from({ length: 10 }, () => sqliteStore({ database: open(file) }))
  const replies = await Promise.all(stores.map((store, i) => store.begin('k', claim({ owner: `o${i}` }))))
  const outcomes = replies.map((reply) => reply.outcome)
  expect(outcomes.filter((outcome) => outcome === 'acquired')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'in_progress')).toHaveLength(9)
})
