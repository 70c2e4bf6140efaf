/** A million records in each store: the time of a first page, of rare records, and of `stats`. `RECORDS=…` for fewer. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { startService } from '../../../scripts/services.mjs'
import { openTarget } from '../src/target/open-target.ts'
import { done } from '../test/terminal.ts'

const RECORDS = Number(process.env.RECORDS ?? 1_000_000)
const REST =
  'token, owner, fingerprint, attempt, interrupted, lease_until, expires_at, checkpoint_seq, request, checkpoint, result'
/** One in a thousand is parked, and one in a thousand in progress. */
const STATE = "CASE n % 1000 WHEN 0 THEN 'parked' WHEN 1 THEN 'in_progress' ELSE 'completed' END"
const keyOf = (n: number) => `shop.charge-${n % 20}.${createHash('sha256').update(String(n)).digest('hex')}`

/** Makes the records out of one that the store has made. */
const copies: Readonly<Record<string, (url: string) => Promise<void>>> = {
  async postgres(url) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(`INSERT INTO retryproof (k, state, ${REST})
      SELECT 'shop.charge-' || (n % 20) || '.' || encode(sha256(n::text::bytea), 'hex'), ${STATE}, ${REST}
      FROM generate_series(1, ${RECORDS}) n, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made`)
    await client.query('VACUUM ANALYZE retryproof')
    await client.end()
  },
  async mariadb(url) {
    const client = await mysql.createConnection(url)
    await client.query(`INSERT INTO retryproof (k, state, ${REST})
      SELECT CONCAT('shop.charge-', n % 20, '.', SHA2(n, 256)), ${STATE}, ${REST}
      FROM (SELECT seq AS n FROM seq_1_to_${RECORDS}) numbers, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made`)
    await client.query('ANALYZE TABLE retryproof')
    await client.end()
  },
  async mongodb(url) {
    const client = new MongoClient(url)
    const collection = client.db('test').collection<{ _id: string }>('retryproof')
    const made = await collection.findOne({ _id: /^shop\.made\./ })
    const stateOf = (n: number) => ['parked', 'in_progress'][n % 1000] ?? 'completed'
    for (let from = 0; from < RECORDS; from += 20_000) {
      const batch = Array.from({ length: Math.min(20_000, RECORDS - from) }, (_, at) => from + at)
      await collection.insertMany(batch.map((n) => ({ ...made, _id: keyOf(n), state: stateOf(n) })))
    }
    await client.close()
  },
  async redis(url) {
    const client = new Redis(url)
    const [made = ''] = await client.keys('*shop.made.*')
    const [dump, ttl] = await Promise.all([client.dumpBuffer(made), client.pttl(made)])
    const prefix = made.slice(0, made.indexOf('shop.made.'))
    for (let from = 0; from < RECORDS; from += 20_000) {
      const pipeline = client.pipeline()
      for (let n = from; n < Math.min(from + 20_000, RECORDS); n++) pipeline.restore(prefix + keyOf(n), ttl, dump)
      await pipeline.exec()
    }
    client.disconnect()
  },
  async sqlite(url) {
    const database = new Database(url.slice('sqlite:'.length))
    database.function('sha', (n) => createHash('sha256').update(String(n)).digest('hex'))
    database.exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${RECORDS})
      INSERT INTO retryproof (k, state, ${REST})
      SELECT 'shop.charge-' || (n % 20) || '.' || sha(n), ${STATE}, ${REST}
      FROM numbers, (SELECT * FROM retryproof WHERE k LIKE 'shop.made.%') made; ANALYZE`)
    database.close()
  },
}

const asked: readonly (readonly string[])[] = [
  ['list'],
  ['list', '--state', 'parked'],
  ['list', '--namespace', 'shop', '--operation', 'charge-7'],
  ['list', '--stuck', '1m'],
  ['stats'],
]

async function measure(kind: string, url: string): Promise<void> {
  await done(['migrate', '--store', url])
  const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
  const target = await openTarget(io, { store: url, namespace: 'shop' })
  await target.instance().run({ operation: 'made', scope: 'ann', key: 'k' }, () => ({ id: 'ch_1', amount: 100 }))
  await target.close()
  const began = performance.now()
  await copies[kind]?.(url)
  process.stdout.write(`${kind}: ${RECORDS} records in ${Math.round((performance.now() - began) / 1000)} s\n`)
  for (const args of asked) {
    const times: number[] = []
    for (let round = 0; round < 3; round++) {
      const start = performance.now()
      await done([...args, '--store', url])
      times.push(Math.round(performance.now() - start))
    }
    process.stdout.write(`${kind}: ${args.join(' ').padEnd(28)} ${times.join(', ')} ms\n`)
  }
}

const kinds = process.env.STORES?.split(',') ?? Object.keys(copies)
for (const kind of kinds) {
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'retryproof-million-'))
    await measure(kind, `sqlite:${join(folder, 'records.db')}`)
    rmSync(folder, { recursive: true })
  } else {
    const server = await startService(kind as 'postgres', {})
    const url = kind === 'mongodb' ? server.url.replace('/?', '/test?') : server.url
    await measure(kind, url).finally(() => server.stop())
  }
}
