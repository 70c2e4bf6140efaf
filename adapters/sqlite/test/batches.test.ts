/** Calls that share a commit: fewer commits, and each call with its own answer and error. */
import { checks } from '@retryproof/conformance'
import { isIdempotencyError } from '@retryproof/core/store'
import { expect, onTestFinished, test, vi } from 'vitest'
import { sqliteStore } from '../src/index.ts'
import { bytes, claim, HOUR_MS } from './claim.ts'
import { migratedFile, open } from './support.ts'

const keys = Array.from({ length: 64 }, (_, index) => `k${index}`)

/** A store, and how many commits it has made. */
async function openStore(batch?: boolean) {
  const commits = { count: 0 }
  const verbose = (statement: unknown) => {
    if (statement === 'COMMIT') commits.count++
  }
  const database = open(await migratedFile(), { verbose })
  return { store: sqliteStore({ database, ...(batch === false && { batch }) }), database, commits }
}

const races = checks.filter(({ id, needs }) => /^C1(-|8)/.test(id) && needs.length === 0)
test.each(races)('all clients on one store: $id $title', async (check) => {
  const { store } = await openStore()
  await check.run({ open: () => store })
})

test('calls of the same turn take two commits, the first of which is that of the first call', async () => {
  const { store, commits } = await openStore()
  const begun = await Promise.all(keys.map((key) => store.begin(key, claim({ owner: key }))))
  expect(begun.map(({ outcome }) => outcome)).toEqual(Array(64).fill('acquired'))
  expect(commits.count).toBe(2)
  const settled = await Promise.all(
    begun.map(({ token }, index) =>
      store.transition(`k${index}`, token, { to: 'completed', result: bytes(`${index}`), retentionMs: HOUR_MS }),
    ),
  )
  expect(settled).toEqual(Array(64).fill({ outcome: 'ok', applied: true }))
  expect(commits.count).toBe(4)
  const replays = await Promise.all(keys.map((key) => store.begin(key, claim({ owner: 'another' }))))
  expect(replays.map(({ result }) => result)).toEqual(keys.map((_, index) => bytes(`${index}`)))
  expect(commits.count).toBe(4)
})

test('fake timers hold up no call', async () => {
  const { store } = await openStore()
  vi.useFakeTimers()
  onTestFinished(() => {
    vi.useRealTimers()
  })
  for (const attempt of [1, 2]) {
    const begun = await Promise.all(keys.map((key) => store.begin(`${key} ${attempt}`, claim({ owner: key }))))
    expect(begun.map(({ outcome }) => outcome)).toEqual(Array(64).fill('acquired'))
  }
})

test('a lone call commits before the event loop turns', async () => {
  const { store, commits } = await openStore()
  let turned = false
  setImmediate(() => {
    turned = true
  })
  const { token } = await store.begin('k', claim())
  await store.transition('k', token, { to: 'completed', result: bytes('x'), retentionMs: HOUR_MS })
  expect([turned, commits.count]).toEqual([false, 2])
})

test('calls of other callbacks of the same turn share the second commit', async () => {
  const { store, commits } = await openStore()
  await Promise.all(
    keys.map(async (key) => {
      await new Promise((resolve) => setImmediate(resolve))
      await store.begin(key, claim({ owner: key }))
    }),
  )
  expect(commits.count).toBe(2)
})

test('batch: false commits each call by itself', async () => {
  const { store, commits } = await openStore(false)
  await Promise.all(keys.map((key) => store.begin(key, claim({ owner: key }))))
  expect(commits.count).toBe(64)
})

test('calls for one key in a batch see each other, in order', async () => {
  const { store } = await openStore()
  const begun = await Promise.all(
    ['first', ...keys].map((owner, index) => store.begin(index ? 'k' : '', claim({ owner }))),
  )
  expect(begun.slice(1).map(({ outcome }) => outcome)).toEqual(['acquired', ...Array(63).fill('in_progress')])
})

test('a call that SQLite refuses has an error of its own, and the others are recorded', async () => {
  const { store, database } = await openStore()
  database.exec(
    `CREATE TRIGGER refuse BEFORE INSERT ON retryproof WHEN NEW.k = 'k9' BEGIN SELECT RAISE(ABORT, 'not this'); END`,
  )
  const answers = await Promise.allSettled(keys.map((key) => store.begin(key, claim({ owner: key }))))
  const failed = answers.flatMap((answer, index) => (answer.status === 'rejected' ? [{ index, ...answer }] : []))
  expect(failed).toMatchObject([{ index: 9, reason: { applied: 'no' } }])
  expect(isIdempotencyError(failed[0]?.reason, 'IDEMPOTENCY_STORE_UNAVAILABLE')).toBe(true)
  expect(database.prepare('SELECT count(*) AS n FROM retryproof').get()).toEqual({ n: 63 })
})
