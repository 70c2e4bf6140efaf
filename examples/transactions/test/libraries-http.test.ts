/** A route that writes with its ORM's own transaction: write, answer and key commit together, and a retry is answered from the record. */
import { randomUUID } from 'node:crypto'
import { EntitySchema as MikroSchema } from '@mikro-orm/core'
import { MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql'
import { type IdempotencyStore, ormStore } from '@retryproof/core'
import { migrate, type PostgresPool, type PostgresQueryable, postgresStore } from '@retryproof/postgres'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { type Knex, knex } from 'knex'
import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'
import { Sequelize, type Transaction as SequelizeTransaction } from 'sequelize'
import { DataSource, type EntityManager, EntitySchema } from 'typeorm'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { type Orm, proveOverHttp } from './libraries-http-proof.ts'

const postgres = await service('postgres')

describe.skipIf(postgres.missing)(`over HTTP, on ${postgres.title}`, { timeout: 60_000 }, () => {
  const suffix = randomUUID().replaceAll('-', '')
  const [table, name] = [`records_${suffix}`, `payments_${suffix}`]
  let pool: pg.Pool
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, max: 4 })
    await migrate({ pool, table })
    await pool.query(`CREATE TABLE ${name} (key text PRIMARY KEY)`)
  })
  afterAll(async () => {
    await pool.query(`DROP TABLE ${table}, ${name}`)
    await pool.end()
  })

  const prove = <Tx>(orm: Omit<Orm<Tx>, 'rows'>) =>
    proveOverHttp({
      ...orm,
      rows: async (key) => (await pool.query(`SELECT FROM ${name} WHERE key = $1`, [key])).rowCount ?? 0,
    })

  function records(): IdempotencyStore<PostgresQueryable> {
    const shared: PostgresPool<PostgresQueryable> = pool
    return postgresStore({ pool: shared, table })
  }

  test('Drizzle', async () => {
    const payments = pgTable(name, { key: text('key').primaryKey() })
    // Drizzle joins the store's own transaction
    await prove({
      store: postgresStore({ pool, table }),
      pay: (tx, key) => drizzle(tx).insert(payments).values({ key }),
      close: async () => {},
    })
  })

  test('Kysely', async () => {
    const own = new pg.Pool({ connectionString: postgres.url, max: 2 })
    const database = new Kysely<Record<string, { key: string }>>({ dialect: new PostgresDialect({ pool: own }) })
    await prove({
      store: ormStore(records(), {
        transaction: (work) => database.transaction().execute(work),
        client: (trx: Transaction<Record<string, { key: string }>>) => ({
          query: (sql: string, values: unknown[] = []) => trx.executeQuery(CompiledQuery.raw(sql, values)),
        }),
      }),
      pay: (trx, key) => trx.insertInto(name).values({ key }).execute(),
      close: () => database.destroy(),
    })
  })

  test('Knex', async () => {
    const database = knex({ client: 'pg', connection: postgres.url, pool: { min: 0, max: 2 } })
    await prove({
      store: ormStore(records(), {
        transaction: (work) => database.transaction(work),
        client: (trx: Knex.Transaction): Promise<pg.PoolClient> => trx.client.acquireConnection(),
      }),
      pay: async (trx, key) => trx(name).insert({ key }),
      close: () => database.destroy(),
    })
  })

  test('TypeORM', async () => {
    const Payment = new EntitySchema<{ key: string }>({
      name: 'Payment',
      tableName: name,
      columns: { key: { type: String, primary: true } },
    })
    const source = await new DataSource({ type: 'postgres', url: postgres.url, entities: [Payment] }).initialize()
    await prove({
      store: ormStore(records(), {
        transaction: (work) => source.transaction(work),
        client: async (manager: EntityManager) => await manager.queryRunner?.connect(),
      }),
      pay: (manager, key) => manager.insert(Payment, { key }),
      close: () => source.destroy(),
    })
  })

  test('Sequelize', async () => {
    const sequelize = new Sequelize(postgres.url, { logging: false, pool: { max: 2 } })
    await prove({
      store: ormStore(records(), {
        transaction: (work) => sequelize.transaction((transaction) => work(transaction)),
        client: (transaction: SequelizeTransaction): pg.PoolClient => Reflect.get(transaction, 'connection'),
      }),
      pay: (transaction, key) => sequelize.getQueryInterface().bulkInsert(name, [{ key }], { transaction }),
      close: () => sequelize.close(),
    })
  })

  test('MikroORM', async () => {
    const Payment = new MikroSchema<{ key: string }>({
      name: 'Payment',
      tableName: name,
      properties: { key: { type: 'string', primary: true } },
    })
    const orm = await MikroORM.init({ clientUrl: postgres.url, entities: [Payment] })
    await prove({
      store: ormStore(records(), {
        transaction: (work) => orm.em.fork().transactional(work),
        client: (em: SqlEntityManager) => ({
          query: async (sql: string, values: unknown[] = []) =>
            em.getTransactionContext()?.executeQuery(CompiledQuery.raw(sql, values)),
        }),
      }),
      pay: async (em, key) => em.insert(Payment, { key }),
      close: () => orm.close(),
    })
  })
})
