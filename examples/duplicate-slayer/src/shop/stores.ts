/** The stores that the demo can keep its records in. Each is opened twice: by the worker, and by the demo, which looks on. */
import type { IdempotencyStore } from '@retryproof/core'
import { wrapStore } from '@retryproof/core/store'
import { migrate as migrateMongodb, mongodbStore } from '@retryproof/mongodb'
import { migrate as migrateMysql, mysqlStore } from '@retryproof/mysql'
import { migrate as migratePostgres, postgresStore } from '@retryproof/postgres'
import { redisStore } from '@retryproof/redis'
import { migrate as migrateSqlite, sqliteStore } from '@retryproof/sqlite'
import { Redis } from 'ioredis'
import Database from 'libsql'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { StoreName } from '../naming.ts'

/** A table of its own, where the server is others' too. */
const table = 'duplicate_slayer'

export interface OpenStore {
  readonly store: IdempotencyStore
  close(): Promise<void>
}

/** `place` is a file, or the URL of a server. Tables are made where they are missing. */
export const openStore: Record<StoreName, (place: string) => Promise<OpenStore>> = {
  async sqlite(place) {
    const database = new Database(place)
    await migrateSqlite({ database })
    return { store: asAny(sqliteStore({ database })), close: async () => void database.close() }
  },

  async redis(place) {
    const client = new Redis(place, { autoResendUnfulfilledCommands: false, commandTimeout: 5_000 })
    return { store: redisStore({ client }), close: async () => client.disconnect() }
  },

  async postgres(place) {
    const pool = new pg.Pool({ connectionString: place, max: 5 })
    await migratePostgres({ pool, table })
    return { store: asAny(postgresStore({ pool, table })), close: () => pool.end() }
  },

  async mysql(place) {
    const pool = mysql.createPool(place)
    await migrateMysql({ pool, table })
    return { store: asAny(mysqlStore({ pool, table })), close: () => pool.end() }
  },

  async mongodb(place) {
    const client = await new MongoClient(place).connect()
    const collection = client.db('duplicate_slayer').collection('records')
    await migrateMongodb({ collection })
    return { store: asAny(mongodbStore({ collection })), close: () => client.close() }
  },
}

/** The demo uses no transactions, so that it need not know whose they would be. */
function asAny<Tx>(store: IdempotencyStore<Tx>): IdempotencyStore {
  return wrapStore<IdempotencyStore<never>>(store as IdempotencyStore<never>, {
    bind: undefined,
    transaction: undefined,
  })
}
