/** Prisma 7 opens the transaction, and the key joins it. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { ormStore } from '@retryproof/core'
import { migrate, type PostgresPool, type PostgresQueryable, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { proveOverHttp } from './libraries-http-proof.ts'
import { proveJoined } from './libraries-proof.ts'

const postgres = await service('postgres')
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The members of Prisma's generated client that are used. */
interface Tx {
  readonly payment: { create(query: { data: { key: string } }): Promise<unknown> }
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown[]>
}
interface Client {
  $transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  $disconnect(): Promise<void>
}

describe.skipIf(postgres.missing)(`Prisma on ${postgres.title}`, { timeout: 60_000 }, () => {
  const name = randomBytes(6).toString('hex')
  const [schema, table] = [`shop_${name}`, `records_${name}`]
  let pool: pg.Pool
  let prisma: Client
  beforeAll(async () => {
    execFileSync(at('../node_modules/.bin/prisma'), ['generate', '--schema', at('prisma/schema.prisma')], {
      cwd: at('..'),
      // a client needs no schema engine, and would download one all the same
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', CHECKPOINT_DISABLE: '1' },
      stdio: 'pipe',
    })
    pool = new pg.Pool({ connectionString: postgres.url, max: 2 })
    await migrate({ pool, table })
    await pool.query(
      `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.payments (id serial PRIMARY KEY, key text NOT NULL)`,
    )
    const generated: { PrismaClient: new (options: { adapter: PrismaPg }) => Client } = await import(
      at('.prisma/client.ts')
    )
    prisma = new generated.PrismaClient({ adapter: new PrismaPg({ connectionString: postgres.url }, { schema }) })
  }, 60_000)
  afterAll(async () => {
    await prisma.$disconnect()
    await pool.query(`DROP SCHEMA ${schema} CASCADE; DROP TABLE ${table}`)
    await pool.end()
  })

  test('over HTTP, a handler writes with the `tx` of Prisma', async () => {
    const shared: PostgresPool<PostgresQueryable> = pool
    await proveOverHttp({
      store: ormStore(postgresStore({ pool: shared, table }), {
        transaction: (work) => prisma.$transaction(work),
        client: (tx: Tx) => ({
          query: async (text: string, values: unknown[] = []) => ({ rows: await tx.$queryRawUnsafe(text, ...values) }),
        }),
      }),
      pay: (tx, key) => tx.payment.create({ data: { key } }),
      rows: async (key) => (await pool.query(`SELECT FROM ${schema}.payments WHERE key = $1`, [key])).rowCount ?? 0,
      close: async () => {},
    })
  })

  test('in a transaction that `$transaction` opened: both commit, or neither', async () => {
    const shared: PostgresPool<PostgresQueryable> = pool
    const shop = {
      store: postgresStore({ pool: shared, table }),
      paid: async (key: string) =>
        (await pool.query(`SELECT FROM ${schema}.payments WHERE key = $1`, [key])).rowCount ?? 0,
    }
    await proveJoined(shop, 'prisma', (use) =>
      prisma.$transaction((tx) =>
        use({ query: async (text, values = []) => ({ rows: await tx.$queryRawUnsafe(text, ...values) }) }, () =>
          tx.payment.create({ data: { key: 'prisma' } }),
        ),
      ),
    )
  })
})
