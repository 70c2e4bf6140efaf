/** A payment through a query library commits with its key, in whichever way the library lets a transaction be shared. */
import { randomUUID } from 'node:crypto'
import { createIdempotency } from '@retryproof/core'
import { migrate, type PostgresPool, type PostgresQueryable, postgresStore } from '@retryproof/postgres'
import * as sqlite from '@retryproof/sqlite'
import Sqlite from 'better-sqlite3'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { sqliteTable, text as textInSqlite } from 'drizzle-orm/sqlite-core'
import { knex } from 'knex'
import { CompiledQuery, Kysely, PostgresDialect, type PostgresPoolClient, type Transaction } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { callOf, DeclinedError, proveHandedOut, proveJoined } from './libraries-proof.ts'

const postgres = await service('postgres')

interface Shop {
  payments: { key: string }
}

describe.skipIf(postgres.missing)(`on ${postgres.title}`, { timeout: 30_000 }, () => {
  const suffix = randomUUID().replaceAll('-', '')
  const [table, paymentsName] = [`records_${suffix}`, `payments_${suffix}`]
  const payments = pgTable(paymentsName, { key: text('key').notNull() })
  let pool: pg.Pool
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, max: 4 })
    await migrate({ pool, table })
    await pool.query(`CREATE TABLE ${paymentsName} (key text NOT NULL)`)
  })
  afterAll(async () => {
    await pool.query(`DROP TABLE ${table}, ${paymentsName}`)
    await pool.end()
  })

  const paid = async (key: string) =>
    (await pool.query(`SELECT FROM ${paymentsName} WHERE key = $1`, [key])).rowCount ?? 0

  /** On the client that `transaction` hands out. */
  const onTheClient: Record<string, (client: pg.PoolClient, key: string) => Promise<unknown>> = {
    Drizzle: (client, key) => drizzle(client).insert(payments).values({ key }),
    Kysely(client, key) {
      const one: PostgresPoolClient = { query: client.query.bind(client), release: () => {} }
      const database = new Kysely<Record<string, Shop['payments']>>({
        dialect: new PostgresDialect({ pool: { connect: async () => one, end: async () => {} } }),
      })
      return database.insertInto(paymentsName).values({ key }).execute()
    },
    Knex: (client, key) => knex({ client: 'pg' })(paymentsName).insert({ key }).connection(client),
  }

  for (const [library, write] of Object.entries(onTheClient)) {
    for (const mode of ['fenced', 'single'] as const) {
      test(`${library} on the client of the transaction, ${mode}: both commit, or neither`, async () => {
        const key = `${library} ${mode}`
        const shop = { store: postgresStore({ pool, table }), paid }
        await proveHandedOut(shop, key, (client: pg.PoolClient) => write(client, key), mode)
      })
    }
  }

  /** In a transaction that the library opened: the store is given what runs a statement in it. */
  type Opened = (
    key: string,
    use: (tx: PostgresQueryable, write: () => Promise<unknown>) => Promise<void>,
  ) => Promise<void>
  const openedBy: Record<string, Opened> = {
    async Drizzle(key, use) {
      const client = await pool.connect()
      try {
        await drizzle(client).transaction((tx) => use(client, () => tx.insert(payments).values({ key })))
      } finally {
        client.release()
      }
    },
    Kysely(key, use) {
      const database = new Kysely<Record<string, Shop['payments']>>({ dialect: new PostgresDialect({ pool }) })
      const queryable = (tx: Transaction<Record<string, Shop['payments']>>): PostgresQueryable => ({
        query: (statement, values = []) => tx.executeQuery(CompiledQuery.raw(statement, values)),
      })
      return database
        .transaction()
        .execute((tx) => use(queryable(tx), () => tx.insertInto(paymentsName).values({ key }).execute()))
    },
    async Knex(key, use) {
      const database = knex({ client: 'pg', connection: postgres.url, pool: { min: 0, max: 1 } })
      try {
        await database.transaction(async (tx) => {
          const client: pg.PoolClient = await tx.client.acquireConnection()
          await use(client, () => tx(paymentsName).insert({ key }))
        })
      } finally {
        await database.destroy()
      }
    },
  }

  for (const [library, transact] of Object.entries(openedBy)) {
    test(`in a transaction that ${library} opened: both commit, or neither`, async () => {
      const shared: PostgresPool<PostgresQueryable> = pool
      const key = `joined ${library}`
      await proveJoined({ store: postgresStore({ pool: shared, table }), paid }, key, (use) => transact(key, use))
    })
  }
})

test.each(['fenced', 'single'] as const)('Drizzle on better-sqlite3, %s: both commit, or neither', async (mode) => {
  const database = new Sqlite(':memory:')
  await sqlite.migrate({ database })
  database.exec('CREATE TABLE payments (key TEXT NOT NULL) STRICT')
  const payments = sqliteTable('payments', { key: textInSqlite('key').notNull() })
  const db = drizzleSqlite(database)
  const idempotency = createIdempotency({ store: sqlite.sqliteStore({ database }), namespace: 'shop' })
  const pay = (end: () => string) =>
    idempotency.transaction(
      callOf('k'),
      () => {
        db.insert(payments).values({ key: 'k' }).run()
        return end()
      },
      { mode },
    )
  const declined = pay(() => {
    throw new DeclinedError()
  })
  await expect(declined).rejects.toThrow(DeclinedError)
  expect(db.select().from(payments).all()).toEqual([])
  expect(await pay(() => 'paid')).toMatchObject({ value: 'paid', replayed: false })
  expect(await pay(() => 'paid')).toMatchObject({ value: 'paid', replayed: true })
  expect(db.select().from(payments).all()).toEqual([{ key: 'k' }])
  database.close()
})
