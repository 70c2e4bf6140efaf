import { randomUUID } from 'node:crypto'
import { migrate } from '@retryproof/postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { createOrders, type Elsewhere } from '../src/order.ts'

const postgres = await service('postgres')
const LEASE_MS = 300

describe.skipIf(postgres.missing)(`on ${postgres.title}`, { timeout: 30_000 }, () => {
  const schema = `s${randomUUID().replaceAll('-', '')}`
  let pool: pg.Pool
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, options: `-c search_path=${schema}` })
    await pool.query(`CREATE SCHEMA ${schema}`)
    await pool.query('CREATE TABLE stock (item text PRIMARY KEY, left_over int NOT NULL)')
    await pool.query('CREATE TABLE invoices (id serial PRIMARY KEY, charge text NOT NULL)')
    await migrate({ pool })
  })
  afterAll(async () => {
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  })

  const order = { item: 'book', amount: 30 }
  const invoices = async (charge: string) =>
    (await pool.query('SELECT FROM invoices WHERE charge = $1', [charge])).rowCount
  const stockLeft = async () => Number((await pool.query('SELECT left_over FROM stock')).rows[0].left_over)

  test('a process that ends before the mail is finished by recover(): no client comes back, no step is taken twice', async () => {
    await pool.query("INSERT INTO stock VALUES ('book', 10)")
    const [charges, mails] = [new Map<string, string>(), new Set<string>()]
    let reached = () => {}
    const atTheMail = new Promise<void>((resolve) => {
      reached = resolve
    })
    const world = (mail: Elsewhere['mail']): Elsewhere => ({
      async charge(_, key) {
        charges.set(key, charges.get(key) ?? `ch_${charges.size + 1}`)
        return charges.get(key) ?? ''
      },
      mail,
    })
    const ended = createOrders(
      pool,
      world(() => {
        reached()
        return new Promise(() => {}) // the process is no more: nothing comes after this
      }),
      LEASE_MS,
    )
    void ended.place('ann', 'order-1', order)
    await atTheMail
    expect(await stockLeft()).toBe(9)
    // its heartbeat ends with it
    expect(await ended.drain(0)).toEqual({ unfinished: 1 })

    const alive = createOrders(
      pool,
      world(async (_, key) => void mails.add(key)),
      LEASE_MS,
    )
    await expect.poll(async () => (await alive.recover()).finished, { timeout: 10_000, interval: 50 }).toBe(1)

    const placed = await alive.place('ann', 'order-1', order)
    expect(placed).toMatchObject({ value: { stock: 9, charge: 'ch_1' }, replayed: true, attempt: 2 })
    expect([charges.size, mails.size, await invoices('ch_1'), await stockLeft()]).toEqual([1, 1, 1, 9])
  })
})
