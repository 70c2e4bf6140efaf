/** The record of a message and what its handler writes commit together, on every database that has transactions. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import * as mongodbAdapter from '@retryproof/mongodb'
import * as mysqlAdapter from '@retryproof/mysql'
import * as postgresAdapter from '@retryproof/postgres'
import * as sqliteAdapter from '@retryproof/sqlite'
import Sqlite from 'better-sqlite3'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { once, type Verdict } from '../src/index.ts'

interface Bench<Tx> {
  readonly store: IdempotencyStore<Tx>
  /** If transactions are synchronous, it has written when it returns. */
  write(tx: Tx, id: string): unknown
  written(): Promise<string[]>
}

const fresh = (prefix: string) => `${prefix}_${randomBytes(6).toString('hex')}`

/** Each message twice at once; the first attempt of every second one fails after it has written. */
async function consumeAll<Tx>({ store, write, written }: Bench<Tx>): Promise<void> {
  const idempotency = createIdempotency({ store, namespace: fresh('test') })
  const ids = Array.from({ length: 8 }, (_, i) => `message ${i}`)

  async function consume(id: string, fails: boolean): Promise<Verdict[]> {
    const verdicts: Verdict[] = []
    const message = { operation: 'orders', id, scope: 'tenant', payload: id, deadLetter: async () => {} }
    for (let isOpen = true; isOpen; isOpen = verdicts.at(-1)?.action !== 'ack') {
      const verdict = await once(
        idempotency,
        message,
        (attempt, tx: Tx) => {
          const end = () => {
            if (fails && attempt.number === 1) throw new Error('after the write')
          }
          const wrote = write(tx, id)
          return wrote instanceof Promise ? wrote.then(end) : end()
        },
        { transaction: true, redeliveryDelay: { first: 1, max: 10 } },
      )
      verdicts.push(verdict)
    }
    return verdicts
  }

  const all = await Promise.all(ids.flatMap((id, i) => [consume(id, i % 2 === 0), consume(id, i % 2 === 0)]))
  expect((await written()).sort()).toEqual(ids)
  const last = all.map((verdicts) => verdicts.at(-1)?.because).sort()
  expect(last).toEqual([...Array(8).fill('duplicate'), ...Array(8).fill('handled')])
}

const [postgres, mariadb, mongodb] = await Promise.all([service('postgres'), service('mariadb'), service('mongodb')])

test.skipIf(postgres.missing)(postgres.title, async () => {
  const pool = new pg.Pool({ connectionString: postgres.url, max: 4 })
  const [table, effects] = [fresh('records'), fresh('effects')]
  await postgresAdapter.migrate({ pool, table })
  await pool.query(`CREATE TABLE ${effects} (id text NOT NULL)`)
  await consumeAll<pg.PoolClient>({
    store: postgresAdapter.postgresStore({ pool, table }),
    write: (tx, id) => tx.query(`INSERT INTO ${effects} VALUES ($1)`, [id]),
    written: async () => (await pool.query<{ id: string }>(`SELECT id FROM ${effects}`)).rows.map(({ id }) => id),
  })
  await pool.query(`DROP TABLE ${table}, ${effects}`)
  await pool.end()
})

test.skipIf(mariadb.missing)(mariadb.title, async () => {
  const pool = mysql.createPool({ uri: mariadb.url, connectionLimit: 4 })
  const [table, effects] = [fresh('records'), fresh('effects')]
  await mysqlAdapter.migrate({ pool, table })
  await pool.query(`CREATE TABLE ${effects} (id VARCHAR(64) NOT NULL) ENGINE = InnoDB`)
  await consumeAll<mysql.PoolConnection>({
    store: mysqlAdapter.mysqlStore({ pool, table }),
    write: (tx, id) => tx.query(`INSERT INTO ${effects} VALUES (?)`, [id]),
    async written() {
      const [rows] = await pool.query<mysql.RowDataPacket[]>(`SELECT id FROM ${effects}`)
      return rows.map(({ id }) => String(id))
    },
  })
  await pool.query(`DROP TABLE ${table}, ${effects}`)
  await pool.end()
})

test.skipIf(mongodb.missing)(mongodb.title, async () => {
  const client = new MongoClient(mongodb.url, { maxPoolSize: 4 })
  const database = client.db(fresh('messaging'))
  const collection = database.collection<{ _id: string }>('records')
  await mongodbAdapter.migrate({ collection })
  const effects = await database.createCollection<{ id: string }>('effects')
  await consumeAll({
    store: mongodbAdapter.mongodbStore({ collection }),
    write: (session, id) => effects.insertOne({ id }, { session }),
    written: () =>
      effects
        .find()
        .map(({ id }) => id)
        .toArray(),
  })
  await database.dropDatabase()
  await client.close()
})

test('SQLite, where a handler must not await', async () => {
  const database = new Sqlite(':memory:')
  await sqliteAdapter.migrate({ database })
  database.exec('CREATE TABLE effects (id TEXT NOT NULL) STRICT')
  const insert = database.prepare('INSERT INTO effects VALUES (?)')
  await consumeAll({
    store: sqliteAdapter.sqliteStore({ database }),
    write: (_, id) => insert.run(id),
    written: async () => database.prepare('SELECT id FROM effects').pluck().all() as string[],
  })
  database.close()
})
