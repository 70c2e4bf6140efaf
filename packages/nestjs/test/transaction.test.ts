/** Handlers that write in the transaction in which their answer is recorded, and conflict with others. */
import { randomBytes } from 'node:crypto'
import { Controller, HttpException, Post } from '@nestjs/common'
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { Transaction, UseIdempotency } from '../src/index.ts'
import { nestApp, platforms } from './nest-app.ts'

const postgres = await service('postgres')

describe.skipIf(postgres.missing)(`a transaction, on ${postgres.title}`, () => {
  const id = randomBytes(6).toString('hex')
  const [table, orders, late] = [`nest_${id}`, `nest_orders_${id}`, `nest_late_${id}`]
  let pool: pg.Pool

  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: postgres.url, max: 8 })
    await migrate({ pool, table })
    // of `late`, the first commit of all fails as one that could not be serialized
    await pool.query(`
      CREATE TABLE ${orders} (path text NOT NULL);
      CREATE TABLE ${late} (path text NOT NULL);
      CREATE SEQUENCE ${late}_tries;
      CREATE FUNCTION ${late}_fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('${late}_tries') = 1 THEN RAISE SQLSTATE '40001'; END IF;
          RETURN NULL;
        END $$;
      CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON ${late} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION ${late}_fail()`)
  })
  afterAll(async () => {
    await pool.query(`DROP TABLE ${table}, ${orders}, ${late}; DROP FUNCTION ${late}_fail; DROP SEQUENCE ${late}_tries`)
    await pool.end()
  })

  const written = async (name: string, path: string) =>
    (await pool.query(`SELECT FROM ${name} WHERE path = $1`, [path])).rowCount

  describe.each(platforms)('with Nest on %s', (platform) => {
    let runs = 0
    @Controller(platform)
    class Orders {
      @Post('conflict')
      @UseIdempotency({ transaction: true })
      async conflict(@Transaction() tx: pg.PoolClient) {
        await tx.query(`INSERT INTO ${orders} VALUES ($1)`, [`${platform} conflict`])
        if (++runs === 1) await tx.query(`DO $$ BEGIN RAISE SQLSTATE '40001'; END $$`)
        return { runs }
      }
      @Post('refused')
      @UseIdempotency({ transaction: true })
      async refused(@Transaction() tx: pg.PoolClient) {
        await tx.query(`INSERT INTO ${orders} VALUES ($1)`, [`${platform} refused`])
        throw new HttpException({ runs: ++runs }, 402)
      }
      @Post('late')
      @UseIdempotency({ transaction: true })
      async late(@Transaction() tx: pg.PoolClient) {
        await tx.query(`INSERT INTO ${late} VALUES ($1)`, [platform])
        return { runs: ++runs }
      }
    }
    const open = () => {
      runs = 0
      return nestApp(platform, [Orders], { store: postgresStore({ pool, table }) })
    }

    it('is run again where its handler finds a conflict, and commits once', async () => {
      const { post } = await open()
      for (const replayed of [null, 'true']) {
        const answer = await post(`/${platform}/conflict`)
        expect([answer.status, await answer.json()]).toEqual([201, { runs: 2 }])
        expect(answer.headers.get('idempotency-replayed')).toBe(replayed)
      }
      expect([runs, await written(orders, `${platform} conflict`)]).toEqual([2, 1])
    })

    it('is rolled back by an exception with a status, which is recorded', async () => {
      const { post } = await open()
      for (const replayed of [null, 'true']) {
        const answer = await post(`/${platform}/refused`)
        expect([answer.status, await answer.json()]).toEqual([402, { runs: 1 }])
        expect(answer.headers.get('idempotency-replayed')).toBe(replayed)
      }
      expect([runs, await written(orders, `${platform} refused`)]).toEqual([1, 0])
    })

    it('that conflicts at its commit only is answered with 503, and what the client sends again commits once', async () => {
      await pool.query(`ALTER SEQUENCE ${late}_tries RESTART`)
      const { post } = await open()
      const refused = await post(`/${platform}/late`)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
      expect(await written(late, platform)).toBe(0)
      const answer = await post(`/${platform}/late`)
      expect([answer.status, await answer.json()]).toEqual([201, { runs: 2 }])
      expect(await written(late, platform)).toBe(1)
    })
  })
})
