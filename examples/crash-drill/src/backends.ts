/** Each store, with a table beside its records for writes that no constraint protects from being made twice. */
import { join } from 'node:path'
import type { IdempotencyStore } from '@retryproof/core'
import type { BackendName, Effect, Place } from './place.ts'

/** The connections of one process. `Tx` is what the transactions of its store hand out. */
export interface Backend<Tx = unknown> {
  readonly store: IdempotencyStore<Tx>
  /** Makes the tables; once. */
  prepare(): Promise<unknown>
  /** If transactions are synchronous, it has written when it returns. */
  insert(tx: Tx, effect: Effect): Promise<unknown> | undefined
  /** The committed values. */
  effects(): Promise<Effect[]>
  close(): Promise<unknown>
}

/** A driver is loaded only by who uses it, so that a process that is started again is soon there. */
export function openBackend(place: Place): Promise<Backend> {
  return opens[place.backend](place)
}

const CONNECTIONS = 8

const opens: Record<BackendName, (place: Place) => Promise<Backend>> = {
  postgres: openPostgres,
  mariadb: openMysql,
  mysql: openMysql,
  sqlite: openSqlite,
  mongodb: openMongodb,
  redis: openRedis,
}

async function openPostgres({ url, name }: Place): Promise<Backend<import('pg').PoolClient>> {
  const { migrate, postgresStore } = await import('@retryproof/postgres')
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  pool.on('error', () => {})
  const [table, effects] = [`records_${name}`, `effects_${name}`]
  return {
    store: postgresStore({ pool, table }),
    async prepare() {
      await migrate({ pool, table })
      await pool.query(`CREATE TABLE ${effects} (key text NOT NULL, value text NOT NULL)`)
    },
    insert: (tx, { key, value }) => tx.query(`INSERT INTO ${effects} VALUES ($1, $2)`, [key, value]),
    effects: async () => (await pool.query<Effect>(`SELECT key, value FROM ${effects}`)).rows,
    close: () => pool.end(),
  }
}

async function openMysql({ url, name }: Place): Promise<Backend<import('mysql2/promise').PoolConnection>> {
  const { migrate, mysqlStore } = await import('@retryproof/mysql')
  const { createPool } = await import('mysql2/promise')
  const pool = createPool({ uri: url, connectionLimit: CONNECTIONS })
  const [table, effects] = [`records_${name}`, `effects_${name}`]
  return {
    store: mysqlStore({ pool, table }),
    async prepare() {
      await migrate({ pool, table })
      await pool.query(
        `CREATE TABLE ${effects} (name VARCHAR(64) NOT NULL, value VARCHAR(64) NOT NULL) ENGINE = InnoDB`,
      )
    },
    insert: (tx, { key, value }) => tx.query(`INSERT INTO ${effects} VALUES (?, ?)`, [key, value]),
    async effects() {
      const [rows] = await pool.query<import('mysql2/promise').RowDataPacket[]>(`SELECT name, value FROM ${effects}`)
      return rows.map(({ name: key, value }) => ({ key: String(key), value: String(value) }))
    },
    close: () => pool.end(),
  }
}

async function openSqlite({ folder }: Place): Promise<Backend<import('better-sqlite3').Database>> {
  const { migrate, sqliteStore } = await import('@retryproof/sqlite')
  const { default: Sqlite } = await import('better-sqlite3')
  const database = new Sqlite(join(folder, 'shop.db'))
  const write = 'INSERT INTO effects VALUES (?, ?)'
  return {
    store: sqliteStore({ database }),
    async prepare() {
      await migrate({ database })
      database.exec('CREATE TABLE effects (key TEXT NOT NULL, value TEXT NOT NULL) STRICT')
    },
    insert(tx, { key, value }) {
      tx.prepare(write).run(key, value)
      return undefined
    },
    effects: async () => database.prepare('SELECT key, value FROM effects').all() as Effect[],
    close: async () => database.close(),
  }
}

async function openMongodb({ url, name }: Place): Promise<Backend<import('mongodb').ClientSession>> {
  const { migrate, mongodbStore } = await import('@retryproof/mongodb')
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url, { maxPoolSize: CONNECTIONS })
  const database = client.db(`drill_${name}`)
  const collection = database.collection<{ _id: string }>('records')
  const effects = database.collection<{ key: string; value: string }>('effects')
  return {
    store: mongodbStore({ collection }),
    async prepare() {
      await migrate({ collection })
      await database.createCollection('effects')
    },
    insert: (session, { key, value }) => effects.insertOne({ key, value }, { session }),
    effects: () =>
      effects
        .find()
        .map(({ key, value }) => ({ key, value }))
        .toArray(),
    close: () => client.close(),
  }
}

async function openRedis({ url, name }: Place): Promise<Backend<never>> {
  const { redisStore } = await import('@retryproof/redis')
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { autoResendUnfulfilledCommands: false })
  client.on('error', () => {})
  return {
    store: redisStore({ client, prefix: `drill:${name}:` }),
    prepare: async () => undefined,
    insert: () => undefined,
    effects: async () => [],
    close: () => client.quit(),
  }
}
