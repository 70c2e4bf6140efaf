/** TypeORM opens the transaction, and the key joins it, on the connection on which it runs. */
import { randomBytes } from 'node:crypto'
import * as mysqlAdapter from '@retryproof/mysql'
import { migrate, postgresStore } from '@retryproof/postgres'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { DataSource, EntitySchema } from 'typeorm'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { proveJoined } from './libraries-proof.ts'

const [postgres, mariadb] = [await service('postgres'), await service('mariadb')]
const name = randomBytes(6).toString('hex')
const [table, paymentsName] = [`records_${name}`, `payments_${name}`]

const Payment = new EntitySchema<{ id: number; key: string }>({
  name: 'Payment',
  tableName: paymentsName,
  columns: { id: { type: Number, primary: true, generated: true }, key: { type: String } },
})

describe.skipIf(postgres.missing)(`TypeORM on ${postgres.title}`, () => {
  let pool: pg.Pool
  let source: DataSource
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, max: 2 })
    await migrate({ pool, table })
    source = new DataSource({ type: 'postgres', url: postgres.url, entities: [Payment], synchronize: true })
    await source.initialize()
  }, 60_000)
  afterAll(async () => {
    await source.destroy()
    await pool.query(`DROP TABLE ${table}, ${paymentsName}`)
    await pool.end()
  })

  test('in a transaction that the data source opened: both commit, or neither', async () => {
    const shop = {
      store: postgresStore({ pool, table }),
      paid: (key: string) => source.getRepository(Payment).countBy({ key }),
    }
    await proveJoined(shop, 'typeorm', (use) =>
      source.transaction(async (manager) => {
        const client: pg.PoolClient = await manager.queryRunner?.connect()
        await use(client, () => manager.insert(Payment, { key: 'typeorm' }))
      }),
    )
  })
})

describe.skipIf(mariadb.missing)(`TypeORM on ${mariadb.title}`, () => {
  let pool: mysql.Pool
  let source: DataSource
  beforeAll(async () => {
    pool = mysql.createPool({ uri: mariadb.url, connectionLimit: 2 })
    await mysqlAdapter.migrate({ pool, table })
    source = new DataSource({ type: 'mariadb', url: mariadb.url, entities: [Payment], synchronize: true })
    await source.initialize()
  }, 60_000)
  afterAll(async () => {
    await source.destroy()
    await pool.query(`DROP TABLE ${table}, ${paymentsName}`)
    await pool.end()
  })

  test('in a transaction that the data source opened: both commit, or neither', async () => {
    const shop = {
      store: mysqlAdapter.mysqlStore({ pool, table }),
      paid: (key: string) => source.getRepository(Payment).countBy({ key }),
    }
    await proveJoined(shop, 'typeorm', (use) =>
      source.transaction(async (manager) => {
        const connection = await manager.queryRunner?.connect()
        await use(connection.promise(), () => manager.insert(Payment, { key: 'typeorm' }))
      }),
    )
  })
})
