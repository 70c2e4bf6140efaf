/** Defects of other libraries, by the ids under which they were catalogued: each was reproduced there, and must not be here. */
import type { Claim } from '@retryproof/core/store'
import { expect, test } from 'vitest'
import { memoryStore } from '../src/index.ts'

const DAY_MS = 86_400_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const claim = (changes: Partial<Claim> = {}): Claim => ({
  owner: 'one',
  fingerprint: 'f',
  leaseMs: 30_000,
  retentionMs: DAY_MS,
  ...changes,
})

function storeAt(startMs: number) {
  const clock = { ms: startMs }
  return { clock, store: memoryStore({ now: () => clock.ms }) }
}

test('NI 5: the first begin after expiry holds the key, and the second one does not run', async () => {
  const { clock, store } = storeAt(1_000_000)
  const first = await store.begin('k', claim())
  await store.transition('k', first.token, { to: 'completed', result: bytes('old'), retentionMs: DAY_MS })
  clock.ms += DAY_MS

  const second = await store.begin('k', claim({ owner: 'two' }))
  const third = await store.begin('k', claim({ owner: 'three' }))

  expect(second).toMatchObject({ outcome: 'acquired', attempt: 1, result: null })
  expect(second.token).toBeGreaterThan(first.token)
  expect(third).toMatchObject({ outcome: 'in_progress', token: second.token })
})

test('NA 5: a retention over 24.8 days, which no 32-bit timer holds, lasts to its end', async () => {
  const { clock, store } = storeAt(1_000_000)
  const { token } = await store.begin('k', claim({ retentionMs: 90 * DAY_MS }))
  expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress' })
  await store.transition('k', token, { to: 'completed', result: bytes('paid'), retentionMs: 90 * DAY_MS })

  clock.ms += 90 * DAY_MS - 1
  expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled', result: bytes('paid') })
  clock.ms += 1
  expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'acquired' })
})

test('PT 11: what a caller does to bytes that it gave or got changes no record', async () => {
  const { clock, store } = storeAt(1_000_000)
  const given = [bytes('request'), bytes('step 1'), bytes('result')] as const
  const spoil = (values: readonly (Uint8Array | null | undefined)[]) => {
    for (const value of values) value?.fill(0)
  }
  const first = await store.begin('k', claim({ request: given[0] }))
  await store.transition('k', first.token, {
    to: 'renew',
    leaseMs: 1,
    checkpoint: { seq: 1, data: given[1] },
  })
  spoil(given)
  clock.ms += 30_000
  const second = await store.begin('k', claim({ owner: 'two' }))
  expect(second).toMatchObject({ request: bytes('request'), checkpoint: { seq: 1, data: bytes('step 1') } })
  spoil([second.request, second.checkpoint?.data])

  const seen = await store.get('k')
  expect(seen).toMatchObject({ request: bytes('request'), checkpoint: { seq: 1, data: bytes('step 1') } })
  spoil([seen?.request, seen?.checkpoint?.data])

  const result = bytes('result')
  await store.transition('k', second.token, { to: 'completed', result, retentionMs: DAY_MS })
  spoil([result])
  const replay = await store.begin('k', claim({ owner: 'three' }))
  expect(replay.result).toEqual(bytes('result'))
  spoil([replay.result])
  const lost = await store.transition('k', first.token, { to: 'failed', result, retentionMs: DAY_MS })
  expect(lost).toMatchObject({ outcome: 'lost', current: { result: bytes('result') } })
  if (lost.outcome === 'lost') spoil([lost.current?.result])

  expect(await store.get('k')).toMatchObject({ request: bytes('request'), result: bytes('result') })
})

test('EI 3, UI 1: of ten begins at once, one acquires', async () => {
  const { store } = storeAt(1_000_000)
  const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => store.begin('k', claim({ owner: `o${i}` }))))
  const outcomes = replies.map((reply) => reply.outcome)
  expect(outcomes.filter((outcome) => outcome === 'acquired')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'in_progress')).toHaveLength(9)
})
