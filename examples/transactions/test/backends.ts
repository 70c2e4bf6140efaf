/** The transactional stores, each on a database of its own, with a table for the business writes beside the records. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IdempotencyStore } from '@retryproof/core'
import * as mongodbAdapter from '@retryproof/mongodb'
import * as mysqlAdapter from '@retryproof/mysql'
import * as postgresAdapter from '@retryproof/postgres'
import * as sqliteAdapter from '@retryproof/sqlite'
import Sqlite from 'better-sqlite3'
import { type ClientSession, MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { type Service, service, services } from '../../../scripts/services.mjs'
import { type Next, onFailingDisk } from './cut-commits.ts'

/** A store of one process, and a write in its transactions that no constraint protects from being made twice. */
export interface Instance<Tx> {
  readonly store: IdempotencyStore<Tx>
  /** If transactions are synchronous, it has written when it returns. */
  insert(tx: Tx, key: string, value: string): Promise<unknown> | undefined
}

export interface Opening {
  /** The address, if it is not the server's. */
  readonly url?: string
  /** The failure of SQLite's disk. */
  readonly next?: Next
  readonly now?: () => number
  readonly lockTimeout?: number
}

/** A transaction that was opened without the store. */
export interface Opened<Tx> {
  readonly tx: Tx
  /** Leaves nothing behind, also after `commit`. */
  close(): Promise<unknown>
  commit(): Promise<unknown>
}

export interface Backend<Tx> {
  /** Another process: connections of its own. */
  open(options?: Opening): Instance<Tx>
  /** On a connection that the store knows nothing of; `'elsewhere'`: of another database, or of another client. */
  begin(where: 'here' | 'elsewhere'): Promise<Opened<Tx>>
  /** The payments that were committed under a key. */
  values(key: string): Promise<string[]>
  /** Resolves when a statement on the records waits for another transaction, where the server says so. */
  someoneWaits?(): Promise<void>
}

export interface Target {
  readonly name: string
  readonly title: string
  readonly missing: string | undefined
  /** The server, before which a proxy can stand; empty where there is none. */
  readonly url: string
  use(test: <Tx>(backend: Backend<Tx>) => Promise<void>): Promise<void>
}

const CONNECTIONS = 4
const fresh = (prefix: string): string => `${prefix}_${randomBytes(6).toString('hex')}`
const databaseAt = (url: string, name: string): string => Object.assign(new URL(url), { pathname: name }).href
const targetOf = ({ name, title, missing, url }: Service, use: Target['use']): Target => ({
  name,
  title,
  missing,
  url,
  use,
})

const postgres = await service('postgres')
const mysqls = await services('mysql')
/** A transaction whose connection was cut stays open for as long, and calls for a key in it wait; by default 60 s. */
const mongodb = await service('mongodb', { args: ['--setParameter', 'transactionLifetimeLimitSeconds=2'] })

export const targets: readonly Target[] = [
  targetOf(postgres, async (test) => {
    const [table, effects] = [fresh('t'), fresh('e')]
    const connect = (connectionString: string) => {
      const pool = new pg.Pool({ connectionString, max: CONNECTIONS })
      // an idle connection that is cut says so here, and is not used again
      pool.on('error', () => {})
      return pool
    }
    const pools = [connect(postgres.url)]
    const [own] = pools as [pg.Pool]
    await postgresAdapter.migrate({ pool: own, table })
    await own.query(`CREATE TABLE ${effects} (k text NOT NULL, value text NOT NULL)`)
    await test<pg.PoolClient>({
      open({ url = postgres.url, ...options } = {}) {
        const pool = connect(url)
        pools.push(pool)
        return {
          store: postgresAdapter.postgresStore({ pool, table, ...options }),
          insert: (tx, key, value) => tx.query(`INSERT INTO ${effects} VALUES ($1, $2)`, [key, value]),
        }
      },
      async begin(where) {
        const pool = connect(where === 'here' ? postgres.url : databaseAt(postgres.url, 'template1'))
        const tx = await pool.connect()
        await tx.query('BEGIN')
        const close = async () => {
          tx.release(true)
          await pool.end()
        }
        return { tx, close, commit: () => tx.query('COMMIT') }
      },
      async values(key) {
        const { rows } = await own.query<{ value: string }>(`SELECT value FROM ${effects} WHERE k = $1`, [key])
        return rows.map(({ value }) => value)
      },
      async someoneWaits() {
        const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
        while (!(await own.query(waiting, [`%"${table}"%`])).rowCount);
      },
    })
    await own.query(`DROP TABLE ${effects}, ${table}`)
    await Promise.all(pools.map((pool) => pool.end()))
  }),

  ...mysqls.map((server) =>
    targetOf(server, async (test) => {
      const [table, effects] = [fresh('t'), fresh('e')]
      const connect = (uri: string) => mysql.createPool({ uri, connectionLimit: CONNECTIONS })
      const pools = [connect(server.url)]
      const [own] = pools as [mysql.Pool]
      await mysqlAdapter.migrate({ pool: own, table })
      await own.query(
        `CREATE TABLE ${effects} (k VARCHAR(64) NOT NULL, value VARCHAR(64) NOT NULL, KEY (k)) ENGINE = InnoDB`,
      )
      await test<mysql.PoolConnection>({
        open({ url = server.url, ...options } = {}) {
          const pool = connect(url)
          pools.push(pool)
          return {
            store: mysqlAdapter.mysqlStore({ pool, table, ...options }),
            insert: (tx, key, value) => tx.query(`INSERT INTO ${effects} VALUES (?, ?)`, [key, value]),
          }
        },
        async begin(where) {
          const pool = connect(where === 'here' ? server.url : databaseAt(server.url, 'mysql'))
          const tx = await pool.getConnection()
          await tx.beginTransaction()
          const close = async () => {
            tx.destroy()
            await pool.end()
          }
          return { tx, close, commit: () => tx.commit() }
        },
        async values(key) {
          const [rows] = await own.query<mysql.RowDataPacket[]>(`SELECT value FROM ${effects} WHERE k = ?`, [key])
          return rows.map(({ value }) => String(value))
        },
      })
      await own.query(`DROP TABLE ${effects}, ${table}`)
      await Promise.all(pools.map((pool) => pool.end()))
    }),
  ),

  targetOf(mongodb, async (test) => {
    const database = fresh('retryproof')
    const clients = [new MongoClient(mongodb.url)]
    const [own] = clients as [MongoClient]
    let opened = own
    const recordsOf = (client: MongoClient) => client.db(database).collection<{ _id: string }>('records')
    await mongodbAdapter.migrate({ collection: recordsOf(own) })
    const effects = await own.db(database).createCollection<{ key: string; value: string }>('effects')
    await test<ClientSession>({
      open({ url = mongodb.url, ...options } = {}) {
        const client = new MongoClient(url, { maxPoolSize: CONNECTIONS })
        clients.push(client)
        opened = client
        const written = client.db(database).collection('effects')
        return {
          store: mongodbAdapter.mongodbStore({ collection: recordsOf(client), ...options }),
          insert: (session, key, value) => written.insertOne({ key, value }, { session }),
        }
      },
      async begin(where) {
        // a session belongs to its client: that of the store is the one that was opened last
        const tx = (where === 'here' ? opened : own).startSession()
        tx.startTransaction()
        return { tx, close: () => tx.endSession(), commit: () => tx.commitTransaction() }
      },
      values: (key) =>
        effects
          .find({ key })
          .map(({ value }) => value)
          .toArray(),
    })
    await own.db(database).dropDatabase()
    await Promise.all(clients.map((client) => client.close()))
  }),

  {
    name: 'sqlite',
    title: 'SQLite',
    missing: undefined,
    url: '',
    async use(test) {
      const folder = mkdtempSync(join(tmpdir(), 'retryproof-transactions-'))
      const connect = () => new Sqlite(join(folder, 'shop.db'))
      const connections = [connect()]
      const [own] = connections as [Sqlite.Database]
      await sqliteAdapter.migrate({ database: own })
      own.exec('CREATE TABLE effects (k TEXT NOT NULL, value TEXT NOT NULL) STRICT')
      await test<Sqlite.Database>({
        open({ next, url: _, ...options } = {}) {
          const connection = connect()
          connections.push(connection)
          const database = next ? onFailingDisk(connection, next) : connection
          const insert = database.prepare('INSERT INTO effects VALUES (?, ?)')
          return {
            store: sqliteAdapter.sqliteStore({ database, ...options }),
            insert(_tx, key, value) {
              insert.run(key, value)
              return undefined
            },
          }
        },
        async begin() {
          const tx = connect()
          tx.exec('BEGIN IMMEDIATE')
          return { tx, close: async () => tx.close(), commit: async () => tx.exec('COMMIT') }
        },
        values: async (key) => own.prepare('SELECT value FROM effects WHERE k = ?').pluck().all(key) as string[],
      })
      for (const connection of connections) connection.close()
      rmSync(folder, { recursive: true })
    },
  },
]
