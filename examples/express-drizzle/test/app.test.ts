import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { migrate } from '@retryproof/postgres'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { createApp, createTables, orders } from '../src/app.ts'

const postgres = await service('postgres')

describe.skipIf(postgres.missing)(`on ${postgres.title}`, () => {
  const schema = `s${randomUUID().replaceAll('-', '')}`
  let pool: pg.Pool
  let server: Server
  let url: string
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, options: `-c search_path=${schema}` })
    await pool.query(`CREATE SCHEMA ${schema}`)
    await migrate({ pool })
    await drizzle(pool).execute(createTables)
    server = createServer(createApp(pool)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
  })
  afterAll(async () => {
    server.close()
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  })

  const order = (key: string, body: object) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user': 'ann', 'idempotency-key': key },
      body: JSON.stringify(body),
    })

  test('an order that is sent twenty times at once is one row, and one answer for everybody', async () => {
    const body = { item: 'book', amount: 30 }
    const answers = await Promise.all(Array.from({ length: 20 }, () => order('o-1', body)))
    for (const { status } of answers) expect([201, 409]).toContain(status)

    const [first, again] = [await order('o-1', body), await order('o-1', body)]
    expect(first.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(await again.text()).toBe(await first.text())
    expect(await drizzle(pool).select().from(orders)).toHaveLength(1)
  })

  test('a refusal leaves no row, and is replayed', async () => {
    const before = (await drizzle(pool).select().from(orders)).length
    const body = { item: 'yacht', amount: 9000 }
    const [first, again] = [await order('o-2', body), await order('o-2', body)]
    expect([first.status, again.status]).toEqual([422, 422])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await drizzle(pool).select().from(orders)).toHaveLength(before)
  })
})
