/** Servers of these tests' own: they stop, hang, answer late and are killed while somebody writes. */
import { StoreUnavailableError } from '@retryproof/core'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnNode, type Service, startService } from '../../../scripts/services.mjs'
import { type MysqlStore, migrate, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, onEachServer } from './fixtures.ts'

await onEachServer(({ title, version }) =>
  describe(`one server like ${title}`, { timeout: 120_000 }, () => {
    let server: Service<OwnNode>
    let pool: mysql.Pool
    let store: MysqlStore<mysql.PoolConnection>

    beforeAll(async () => {
      server = await startService(version.includes('MariaDB') ? 'mariadb' : 'mysql', { durable: true })
      pool = connect(server.url, { pool: { connectionLimit: 8 } })
      await migrate({ pool })
      store = mysqlStore({ pool, timeout: 1_000 })
    }, 120_000)
    afterAll(async () => {
      await pool.end()
      await server.stop()
    })
    const node = () => server.nodes[0] as OwnNode

    test('one that hangs is not waited for, and what it says later is nobody’s answer', async () => {
      const { token } = await store.begin('hangs', claim())
      await store.transition('hangs', token, completed('the result'))
      // connections that will hang, and more than the pool has
      const keys = Array.from({ length: 12 }, (_, i) => `hung ${i}`)
      await Promise.all(keys.slice(0, 8).map((key) => store.get(key)))

      node().signal('SIGSTOP')
      const refusals = await Promise.all(
        keys.map((key) => store.begin(key, claim()).catch((error: unknown) => error)),
      ).finally(() => node().signal('SIGCONT'))
      for (const refusal of refusals) expect(refusal).toBeInstanceOf(StoreUnavailableError)
      // those that had no connection have certainly changed nothing
      expect(new Set(refusals.map((refusal) => (refusal as StoreUnavailableError).applied))).toContain('unknown')

      const patient = mysqlStore({ pool })
      for (const key of keys) {
        expect(await patient.begin('hangs', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled', token })
        expect(await patient.begin(key, claim())).toMatchObject({ outcome: 'acquired', attempt: 1, interrupted: false })
      }
    })

    test('one that is killed under load keeps every result that it acknowledged', async () => {
      const acknowledged = new Map<string, string>()
      let n = 0
      let killed = false
      const writer = async () => {
        while (!killed) {
          const key = `kill ${n++}`
          try {
            const { token } = await store.begin(key, claim())
            const reply = await store.transition(key, token, completed(key))
            if (reply.outcome === 'ok') acknowledged.set(key, key)
          } catch (error) {
            expect(error).toBeInstanceOf(StoreUnavailableError)
          }
        }
      }
      const writers = Array.from({ length: 8 }, writer)
      while (acknowledged.size < 200) await new Promise((resolve) => setImmediate(resolve))
      await node().kill()
      killed = true
      await Promise.all(writers)
      await expect(store.get('kill 0')).rejects.toMatchObject({ applied: 'no' })

      await node().start()
      for (const key of acknowledged.keys()) {
        const replay = await store.begin(key, claim({ owner: 'two' }))
        expect(replay.outcome).toBe('settled')
        expect(String(Buffer.from(replay.result ?? []))).toBe(key)
      }
    })

    test('one that is stopped answers nothing, and goes on where it was', async () => {
      const { token } = await store.begin('stops', claim())
      await node().stop()
      for (const call of [
        () => store.begin('stops', claim()),
        () => store.transition('stops', token, completed('x')),
        () => store.get('stops'),
        () => store.purge({ limit: 1 }),
        () => store.transaction(() => undefined),
      ]) {
        await expect(call()).rejects.toBeInstanceOf(StoreUnavailableError)
      }
      await node().start()
      expect(await store.begin('stops', claim())).toMatchObject({ outcome: 'acquired', token, attempt: 1 })
      expect(await store.transition('stops', token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
    })
  }),
)
