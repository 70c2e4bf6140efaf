/** Many records in a store, made out of one that the store has made itself, and the room that they take. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { startService } from '../../../../scripts/services.mjs'
import { openTarget } from '../../src/target/open-target.ts'
import { done } from '../../test/terminal.ts'

/** One kind of store, at its address. */
export interface Filler {
  /**
   * Copies the one record of `shop.made` so often. One copy in a thousand is parked, and one in a thousand in progress; with
   * `expired`, one in ten has expired long ago.
   */
  fill(url: string, records: number, options?: { readonly expired?: boolean }): Promise<void>
  /** The bytes of all records, with their indexes. */
  bytes(url: string): Promise<number>
}

const REST = 'token, owner, fingerprint, attempt, interrupted, lease_until, checkpoint_seq, request, checkpoint, result'
const STATE = "CASE n % 1000 WHEN 0 THEN 'parked' WHEN 1 THEN 'in_progress' ELSE 'completed' END"
const AGO_MS = 7 * 86_400_000
const isExpired = (n: number) => n % 10 === 2
const expiresAt = (expired: boolean) =>
  expired ? `expires_at - CASE n % 10 WHEN 2 THEN ${AGO_MS * 1000} ELSE 0 END` : 'expires_at'

/** Tells whether the record with a number is settled and has not expired. */
export const isReplayable = (n: number) => n % 1000 > 1 && !isExpired(n)
/** The key of the record with a number. */
export const keyOf = (n: number) => `shop.charge-${n % 20}.${createHash('sha256').update(String(n)).digest('hex')}`

async function onPostgres<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return use(client).finally(() => client.end())
}

async function onMariadb<T>(url: string, use: (client: mysql.Connection) => Promise<T>): Promise<T> {
  const client = await mysql.createConnection(url)
  return use(client).finally(() => client.end())
}

async function onMongodb<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url)
  return use(client).finally(() => client.close())
}

async function onRedis<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  return use(client).finally(() => client.disconnect())
}

export const fillers: Readonly<Record<string, Filler>> = {
  postgres: {
    fill: (url, records, { expired = false } = {}) =>
      onPostgres(url, async (client) => {
        await client.query(`INSERT INTO retryproof (k, state, expires_at, ${REST})
          SELECT 'shop.charge-' || (n % 20) || '.' || encode(sha256(n::text::bytea), 'hex'), ${STATE}, ${expiresAt(expired)}, ${REST}
          FROM generate_series(1, ${records}) n, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made`)
        await client.query('VACUUM ANALYZE retryproof')
        await client.query('CHECKPOINT')
      }),
    bytes: (url) =>
      onPostgres(url, async (client) => {
        const { rows } = await client.query("SELECT pg_total_relation_size('retryproof') AS bytes")
        return Number(rows[0].bytes)
      }),
  },
  mariadb: {
    fill: (url, records, { expired = false } = {}) =>
      onMariadb(url, async (client) => {
        await client.query(`INSERT INTO retryproof (k, state, expires_at, ${REST})
          SELECT CONCAT('shop.charge-', n % 20, '.', SHA2(n, 256)), ${STATE}, ${expiresAt(expired)}, ${REST}
          FROM (SELECT seq AS n FROM seq_1_to_${records}) numbers, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made`)
        await client.query('ANALYZE TABLE retryproof')
      }),
    bytes: (url) =>
      onMariadb(url, async (client) => {
        const [rows] = await client.query<mysql.RowDataPacket[]>(
          "SELECT data_length + index_length AS bytes FROM information_schema.tables WHERE table_name = 'retryproof'",
        )
        return Number(rows[0]?.bytes)
      }),
  },
  mongodb: {
    fill: (url, records, { expired = false } = {}) =>
      onMongodb(url, async (client) => {
        const collection = client.db('test').collection<{ _id: string; expiresAt: Date }>('retryproof')
        const made = await collection.findOne({ _id: /^shop\.made\./ })
        const stateOf = (n: number) => ['parked', 'in_progress'][n % 1000] ?? 'completed'
        for (let from = 0; from < records; from += 20_000) {
          const batch = Array.from({ length: Math.min(20_000, records - from) }, (_, at) => from + at)
          const expiryOf = (n: number) => new Date(Number(made?.expiresAt) - (expired && isExpired(n) ? AGO_MS : 0))
          await collection.insertMany(
            batch.map((n) => ({ ...made, _id: keyOf(n), state: stateOf(n), expiresAt: expiryOf(n) })),
          )
        }
      }),
    bytes: (url) =>
      onMongodb(url, async (client) => {
        // sizes are those of the last checkpoint
        await client.db('admin').command({ fsync: 1 })
        const [stats] = await client
          .db('test')
          .collection('retryproof')
          .aggregate([{ $collStats: { storageStats: {} } }])
          .toArray()
        return stats?.storageStats.storageSize + stats?.storageStats.totalIndexSize
      }),
  },
  redis: {
    fill: (url, records) =>
      onRedis(url, async (client) => {
        const [made = ''] = await client.keys('*shop.made.*')
        const [dump, ttl] = await Promise.all([client.dumpBuffer(made), client.pttl(made)])
        const prefix = made.slice(0, made.indexOf('shop.made.'))
        for (let from = 0; from < records; from += 20_000) {
          const pipeline = client.pipeline()
          for (let n = from; n < Math.min(from + 20_000, records); n++) pipeline.restore(prefix + keyOf(n), ttl, dump)
          await pipeline.exec()
        }
      }),
    bytes: (url) =>
      onRedis(url, async (client) => Number(/used_memory_dataset:(\d+)/.exec(await client.info('memory'))?.[1])),
  },
  sqlite: {
    async fill(url, records, { expired = false } = {}) {
      const database = new Database(url.slice('sqlite:'.length))
      database.function('sha', (n) => createHash('sha256').update(String(n)).digest('hex'))
      database.exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${records})
        INSERT INTO retryproof (k, state, expires_at, ${REST})
        SELECT 'shop.charge-' || (n % 20) || '.' || sha(n), ${STATE}, ${expiresAt(expired)}, ${REST}
        FROM numbers, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made; ANALYZE`)
      database.close()
    },
    async bytes(url) {
      const database = new Database(url.slice('sqlite:'.length))
      const read = (name: string) => Number(database.pragma(name, { simple: true }))
      const bytes = (read('page_count') - read('freelist_count')) * read('page_size')
      database.close()
      return bytes
    },
  },
}

/** Opens a server or a file of its own for `use`, with the table of the records. */
export async function onOwnServer<T>(
  kind: string,
  options: { readonly durable?: boolean; readonly args?: readonly string[] },
  use: (url: string) => Promise<T>,
) {
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'retryproof-drill-'))
    return use(`sqlite:${join(folder, 'records.db')}`).finally(() => rmSync(folder, { recursive: true }))
  }
  const server = await startService(kind as 'postgres', options)
  const url = kind === 'mongodb' ? server.url.replace('/?', '/test?') : server.url
  return use(url).finally(() => server.stop())
}

/** Opens the store at an address, with its table. */
export async function openStore(url: string) {
  await done(['migrate', '--store', url])
  const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
  const target = await openTarget(io, { store: url, namespace: 'shop' })
  await target.instance().run({ operation: 'made', scope: 'ann', key: 'k' }, () => ({ id: 'ch_1', amount: 100 }))
  const { store } = target
  if (!store) throw new Error(`${url} has no store.`)
  return { store, close: target.close }
}
