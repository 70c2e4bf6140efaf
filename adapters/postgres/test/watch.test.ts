/** Waiting by LISTEN: one client for all who wait, and never longer than somebody does. */
import { afterAll, describe, expect, test, vi } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { postgresStore } from '../src/index.ts'
import { claim, completed, connect, freshDatabase, HOUR_MS, storeAt } from './fixtures.ts'

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`watch on ${title}`, async () => {
    const { pool, table, store } = await storeAt(url, { max: 5, watch: true })
    const admin = connect(url)
    afterAll(async () => {
      await pool.end()
      await admin.end()
    })
    const listeners = async () =>
      (
        await admin.query(
          "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN retryproof' AND datname = current_database()",
        )
      ).rows.map(({ pid }) => pid)

    function watch(key: string) {
      const controller = new AbortController()
      const heard = vi.fn()
      const armed = store.watch?.(key, heard, controller.signal)
      return { armed, heard, stop: () => controller.abort() }
    }

    test('waiters share one connection, hear of their own key, and give the connection back', async () => {
      const before = await listeners()
      const { token } = await store.begin('a', claim())
      const waiters = [watch('a'), watch('a'), watch('b')]
      await Promise.all(waiters.map(({ armed }) => armed))
      expect((await listeners()).length).toBe(before.length + 1)
      await store.transition('a', token, { to: 'renew', leaseMs: HOUR_MS })
      await store.transition('a', token, completed('x'))
      await vi.waitFor(() => expect(waiters.map(({ heard }) => heard.mock.calls.length)).toEqual([1, 1, 0]))
      // a change that is none tells nobody
      await store.transition('a', token, completed('x'))
      for (const { stop } of waiters) stop()
      await vi.waitFor(async () => expect(await listeners()).toEqual(before))
      expect(waiters.map(({ heard }) => heard.mock.calls.length)).toEqual([1, 1, 0])
    })

    test('who waits hears of a commit, and not before it', async () => {
      const { token } = await store.begin('tx', claim())
      const { armed, heard, stop } = watch('tx')
      await armed
      await store.transaction(async (tx) => {
        await store.bind(tx).transition('tx', token, completed('x'))
        // another notification comes through, so this one would have, too
        const other = watch('other')
        await other.armed
        await admin.query("SELECT pg_notify('retryproof', 'other')")
        await vi.waitFor(() => expect(other.heard).toHaveBeenCalled())
        other.stop()
        expect(heard).not.toHaveBeenCalled()
      })
      await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1))
      stop()
    })

    test('a listening connection that dies wakes everybody, and the next to come listens for all', async () => {
      const first = watch('dies')
      await first.armed
      const pids = await listeners()
      await admin.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid', [pids])
      await vi.waitFor(() => expect(first.heard).toHaveBeenCalledTimes(1))
      const second = watch('dies too')
      await second.armed
      const { token } = await store.begin('dies', claim())
      await store.transition('dies', token, completed('x'))
      await vi.waitFor(() => expect(first.heard).toHaveBeenCalledTimes(2))
      first.stop()
      second.stop()
    })

    test('a pool that cannot connect arms nobody', async () => {
      const dead = connect('postgres://postgres@127.0.0.1:1/none')
      const lost = postgresStore({ pool, table, watch: dead })
      const never = new AbortController()
      const armed = lost.watch?.('k', () => {}, never.signal)
      await expect(armed).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' })
      never.abort()
      await dead.end()
    })

    test('without `watch` there is none, and nobody is told', async () => {
      const quiet = postgresStore({ pool, table })
      expect(quiet).not.toHaveProperty('watch')
      const { armed, heard, stop } = watch('quiet')
      await armed
      const { token } = await quiet.begin('quiet', claim())
      await quiet.transition('quiet', token, completed('x'))
      await store.begin('loud', claim()).then(({ token: loud }) => store.transition('loud', loud, completed('x')))
      const loud = watch('loud')
      await loud.armed
      await admin.query("SELECT pg_notify('retryproof', 'loud')")
      await vi.waitFor(() => expect(loud.heard).toHaveBeenCalled())
      expect(heard).not.toHaveBeenCalled()
      stop()
      loud.stop()
    })
  })
}
