import { randomBytes } from 'node:crypto'
import type { IdempotencyStore } from '@retryproof/core'
import { migrate, postgresStore } from '@retryproof/postgres'
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openConsole, owner } from './open-console.ts'

const servers = { PostgreSQL: await service('postgres'), Redis: await service('redis') }
const unique = `console_${randomBytes(6).toString('hex')}`

type Opened = { store: IdempotencyStore<never>; close(): Promise<unknown> }

const open: Record<keyof typeof servers, (url: string) => Promise<Opened>> = {
  async PostgreSQL(connectionString) {
    const pool = new pg.Pool({ connectionString })
    await migrate({ pool, table: unique })
    return { store: postgresStore({ pool, table: unique }) as unknown as Opened['store'], close: () => pool.end() }
  },
  async Redis(url) {
    const client = new Redis(url)
    return { store: redisStore({ client, prefix: `${unique}:` }), close: async () => client.disconnect() }
  },
}

describe.each(Object.keys(servers) as (keyof typeof servers)[])('%s', (name) => {
  const { url, missing } = servers[name]

  test.skipIf(missing)(
    `is shown, resolved and erased (skipped where it is missing: ${missing})`,
    { timeout: 30_000 },
    async () => {
      const { store, close } = await open[name](url ?? '')
      try {
        const { get, submit, keys, shop } = await openConsole({ store })
        // a page waits for a count for as long as it may on a busy machine, too
        await expect.poll(async () => (await get('/')).text, { timeout: 10_000 }).toContain('2 keys are parked')
        expect((await get('/records?state=completed')).text).toContain(`${keys.get('charge')}`)
        const key = keys.get('refund')
        expect((await get(`/records/${key}`)).text).toMatch(/<time[^>]*>20\d\d-/)
        await submit(await get(`/records/${key}/complete`), { value: '{"id":"re_1"}' })
        expect(await shop.run({ ...owner, operation: 'refund' }, () => 1)).toMatchObject({ value: { id: 're_1' } })
        const erased = await submit(await get('/erase?scope=tenant_7%0D%0Auser_42'), { certain: 'yes' })
        expect(erased.headers.get('location')).toBe('/idempotency/?erased=5')
        expect(await shop.count()).toEqual([])
      } finally {
        await close()
      }
    },
  )
})
