/** Counts that are shared: what the overview costs a database, however many look at it. */
import { createIdempotency, type RecordCount } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readOptions } from '../src/options.ts'
import { openNamespaces } from '../src/records/namespaces.ts'

/** Namespaces whose counts take `lasts` ms of a clock that the test moves. */
function open() {
  const shop = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
  const clock = { nowMs: 0, busyMs: 0, lasts: 0, counts: 0 }
  const count = async (): Promise<readonly RecordCount[]> => {
    const counts = await shop.count()
    clock.nowMs += clock.lasts
    clock.busyMs += clock.lasts
    clock.counts++
    return counts
  }
  const namespaces = openNamespaces(new Map([['shop', { ...shop, count }]]), () => clock.nowMs)
  return { namespaces, clock }
}

test('counts take a twentieth of the time at most, whatever they last and whoever polls', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ waits: fc.nat(20_000), lasts: fc.nat(5000), tabs: fc.integer({ min: 1, max: 3 }) }), {
        minLength: 2,
        maxLength: 50,
      }),
      async (polls) => {
        const { namespaces, clock } = open()
        for (const { waits, lasts, tabs } of polls) {
          clock.lasts = lasts
          await Promise.all(Array.from({ length: tabs }, () => namespaces.count()))
          clock.nowMs += waits
        }
        // the last count may have just ended, before its pause
        expect((clock.busyMs - 5000) * 20).toBeLessThanOrEqual(clock.nowMs)
      },
    ),
  )
})

test('a page waits for a count no longer than its patience, and shows the one before', async () => {
  const shop = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
  await shop.run({ operation: 'pay', scope: 'a', key: 'k' }, () => 1)
  const pending: (() => void)[] = []
  const count = async () => {
    await new Promise<void>((resolve) => pending.push(resolve))
    return shop.count()
  }
  let nowMs = 1_000
  const namespaces = openNamespaces(new Map([['shop', { ...shop, count }]]), () => nowMs, 1)
  expect(await namespaces.count()).toBeUndefined()
  expect(await namespaces.count()).toBeUndefined()
  expect(pending).toHaveLength(1)
  pending[0]?.()
  await expect.poll(() => namespaces.count()).toMatchObject({ atMs: 1_000, isEarlier: false })
  nowMs = 100_000
  expect(await namespaces.count()).toMatchObject({ atMs: 1_000, isEarlier: true, namespaces: [{ namespace: 'shop' }] })
  expect(pending).toHaveLength(2)
})

test('pages over namespaces give each record once, also where one name begins with another', async () => {
  const store = memoryStore()
  const names = ['shop', 'shop-eu', 'shop2']
  const idempotency = names.map((namespace) => createIdempotency({ store, namespace, purge: false }))
  for (const instance of idempotency)
    for (let at = 0; at < 40; at++) await instance.run({ operation: 'pay', scope: 'a', key: `k${at}` }, () => at)
  const namespaces = openNamespaces(readOptions({ idempotency, authorize: () => null }).instances)
  const pages: string[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await namespaces.list(after === '' ? {} : { after })
    pages.push(...page.records.map(({ key }) => key))
    after = page.next
  }
  expect(pages).toEqual([...new Set(pages)].sort())
  expect(pages).toHaveLength(120)
})

test('a cursor that is no key is refused before the store sees it', async () => {
  const { namespaces } = open()
  for (const after of ['x', '\u0000', `shop.pay.${'g'.repeat(64)}`, '😀'])
    await expect(namespaces.list({ after })).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL' })
})

test('a quick count is shared for two seconds, and an action makes the next one new', async () => {
  const { namespaces, clock } = open()
  await namespaces.count()
  clock.nowMs = 1999
  await namespaces.count()
  expect(clock.counts).toBe(1)
  namespaces.countAgain()
  await namespaces.count()
  expect(clock.counts).toBe(2)
  clock.nowMs += 2000
  await namespaces.count()
  expect(clock.counts).toBe(3)
})
