/** An Express server over one store, in a process of its own: `server.ts <store> <url>`. It tells its port. */
import { mkdtemp } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express, { type RequestHandler } from 'express'
import { answerTo } from '../http/apps/order.ts'

/** Each store with its table, and the pool that its documentation shows. */
const stores: Readonly<Record<string, (url: string) => Promise<IdempotencyStore>>> = {
  async memory() {
    const { memoryStore } = await import('@retryproof/memory')
    return memoryStore({ maxRecords: 10_000_000 })
  },
  async redis(url) {
    const [{ Redis }, { redisStore }] = await Promise.all([import('ioredis'), import('@retryproof/redis')])
    return redisStore({ client: new Redis(url) })
  },
  async postgres(url) {
    const [{ default: pg }, { migrate, postgresStore }] = await Promise.all([
      import('pg'),
      import('@retryproof/postgres'),
    ])
    const pool = new pg.Pool({ connectionString: url, max: 10 })
    await migrate({ pool })
    return postgresStore({ pool })
  },
  async mariadb(url) {
    const [{ default: mysql }, { migrate, mysqlStore }] = await Promise.all([
      import('mysql2/promise'),
      import('@retryproof/mysql'),
    ])
    const pool = mysql.createPool({ uri: url, connectionLimit: 10 })
    await migrate({ pool })
    return mysqlStore({ pool })
  },
  async mongodb(url) {
    const [{ MongoClient }, { migrate, mongodbStore }] = await Promise.all([
      import('mongodb'),
      import('@retryproof/mongodb'),
    ])
    const collection = new MongoClient(url).db('bench').collection<{ _id: string }>('retryproof')
    await migrate({ collection })
    return mongodbStore({ collection })
  },
  async sqlite() {
    const [{ default: Database }, { migrate, sqliteStore }] = await Promise.all([
      import('better-sqlite3'),
      import('@retryproof/sqlite'),
    ])
    const database = new Database(join(await mkdtemp(join(tmpdir(), 'retryproof-bench-sqlite-')), 'bench.db'))
    await migrate({ database })
    return sqliteStore({ database })
  },
}

const [name = '', url = ''] = process.argv.slice(2)
const open = stores[name]
if (!open) throw new Error(`There is no store '${name}', only ${Object.keys(stores).join(', ')}.`)
const idempotency = createIdempotency({ store: await open(url), namespace: 'bench' })
const handler: RequestHandler = (req, res) => {
  res.status(201).json(answerTo(req.body))
}
const server = express()
  .use(express.json())
  .post('/bare', handler)
  .post('/charges', idempotent(idempotency, { scope: () => 'user_42' }), handler)
  .listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit())
