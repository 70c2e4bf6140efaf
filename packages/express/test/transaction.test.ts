/** Answers that commit together with what their handlers wrote, and conditional writes, on PostgreSQL. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { precondition, preconditionFailed } from '@retryproof/http/precondition'
import { memoryStore } from '@retryproof/memory'
import { migrate, postgresStore } from '@retryproof/postgres'
import type express from 'express'
import type { ErrorRequestHandler } from 'express'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { idempotent, type TransactionHandler } from '../src/index.ts'
import { testApp, versions } from './app.ts'

for (const { title, url, missing } of await services('postgres')) {
  describe.skipIf(missing)(`on ${title}`, () => {
    const schema = `express_${randomBytes(6).toString('hex')}`
    let pool: pg.Pool

    beforeAll(async () => {
      const admin = new pg.Client(url)
      await admin.connect()
      await admin.query(`CREATE SCHEMA ${schema}`)
      await admin.end()
      pool = new pg.Pool({ connectionString: url, options: `-c search_path=${schema}`, max: 16 })
      await migrate({ pool })
      await pool.query('CREATE TABLE charges (id text PRIMARY KEY, amount int NOT NULL)')
      await pool.query('CREATE TABLE documents (id text PRIMARY KEY, version int NOT NULL)')
    })
    afterAll(async () => {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`)
      await pool.end()
    })

    const rows = async (id: string) => (await pool.query('SELECT amount FROM charges WHERE id = $1', [id])).rowCount

    describe.each(versions)('a transaction of %s', (_, framework: typeof express) => {
      const scope = () => randomBytes(4).toString('hex')

      /** An app whose route charges what it is asked to, and then goes on as `answer` says. */
      function charging(
        answer: TransactionHandler<pg.PoolClient>,
        options: { commitWhen?: (status: number) => boolean } = {},
      ) {
        const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: scope() })
        const set = testApp(framework, idempotency)
        const id = scope()
        const counter = { runs: 0 }
        set.app.set('env', 'test')
        set.app.post(
          '/charges',
          idempotent(idempotency, { scope: () => 'ann', transaction: true, ...options }, async (req, res, context) => {
            counter.runs++
            await context.tx.query('INSERT INTO charges VALUES ($1, $2)', [id, 7])
            await answer(req, res, context)
          }),
        )
        return { ...set, counter, written: () => rows(id) }
      }

      it('commits what was written together with the answer', async () => {
        const { post, written, counter } = charging((_req, res, { attempt }) => {
          res.status(201).json({ token: typeof attempt.token })
        })
        const [first, again] = [await post('/charges'), await post('/charges')]
        expect([first.status, await first.json(), await written()]).toEqual([201, { token: 'number' }, 1])
        expect([again.status, again.headers.get('idempotency-replayed'), counter.runs]).toEqual([201, 'true', 1])
      })

      it('undoes what was written before a refusal, and records that', async () => {
        const { post, written, counter } = charging((_req, res) => res.sendStatus(402))
        expect([(await post('/charges')).status, (await post('/charges')).status]).toEqual([402, 402])
        expect([await written(), counter.runs]).toEqual([0, 1])
      })

      it('undoes what was written before a server error, and runs again', async () => {
        const { post, written, counter } = charging((_req, res) => res.sendStatus(counter.runs === 1 ? 500 : 201))
        expect([(await post('/charges')).status, await written()]).toEqual([500, 0])
        expect([(await post('/charges')).status, await written(), counter.runs]).toEqual([201, 1, 2])
      })

      it('undoes what was written before a throw', async () => {
        const { post, written, counter } = charging((_req, res) => {
          if (counter.runs === 1) throw Object.assign(new Error('boom'), { status: 503 })
          res.sendStatus(201)
        })
        expect([(await post('/charges')).status, await written()]).toEqual([503, 0])
        expect([(await post('/charges')).status, await written()]).toEqual([201, 1])
      })

      it('undoes what was written, and drops the answer, when the handler throws after its end', async () => {
        const { post, written, counter } = charging((_req, res) => {
          res.status(201).json({})
          if (counter.runs === 1) throw new Error('too late')
        })
        expect([(await post('/charges')).status, await written()]).toEqual([500, 0])
        expect([(await post('/charges')).status, await written(), counter.runs]).toEqual([201, 1, 2])
      })

      it.each([200, 402])(
        'undoes what was written before a throw that an error handler answers with %s',
        async (status) => {
          const { app, post, written, counter } = charging(() => {
            throw new Error('declined')
          })
          const answer: ErrorRequestHandler = (error: Error, _req, res, _next) => {
            res.status(status).json({ error: error.message })
          }
          app.use(answer)
          const [first, again] = [await post('/charges'), await post('/charges')]
          expect([first.status, await first.json(), await written()]).toEqual([status, { error: 'declined' }, 0])
          expect([again.status, counter.runs]).toEqual([status, status === 200 ? 2 : 1])
        },
      )

      it('runs again after a conflict of transactions, and answers nobody before', async () => {
        const conflict = Object.assign(new Error('deadlock detected'), { code: '40P01' })
        let errors = 0
        const { app, post, written, counter } = charging((_req, res) => {
          if (counter.runs === 1) throw conflict
          res.sendStatus(201)
        })
        const count: ErrorRequestHandler = (error, _req, _res, next) => {
          errors++
          next(error)
        }
        app.use(count)
        expect([(await post('/charges')).status, await written(), counter.runs, errors]).toEqual([201, 1, 2, 0])
      })

      it('commits by another rule where there is one', async () => {
        const { post, written } = charging((_req, res) => res.sendStatus(409), {
          commitWhen: (status) => status === 409,
        })
        expect([(await post('/charges')).status, await written()]).toEqual([409, 1])
      })

      it('holds a stream until it has committed', async () => {
        const { post, written } = charging((_req, res) => {
          res.type('text/event-stream').write('data: 1\n\n')
          res.flushHeaders()
          res.end('data: 2\n\n')
        })
        const [first, again] = [await post('/charges'), await post('/charges')]
        expect([await first.text(), await again.text(), await written()]).toEqual([
          'data: 1\n\ndata: 2\n\n',
          'data: 1\n\ndata: 2\n\n',
          1,
        ])
      })

      it('gives ten duplicates at once one row', async () => {
        const { post, written, counter } = charging((_req, res) => res.sendStatus(201))
        const answers = await Promise.all(Array.from({ length: 10 }, () => post('/charges')))
        expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
        expect([await written(), counter.runs]).toEqual([1, 1])
      })
    })

    describe.each(versions)('conditional writes of %s', (_, framework: typeof express) => {
      function documents() {
        const set = testApp(framework)
        const id = randomBytes(4).toString('hex')
        set.app.set('env', 'test')
        set.app.put('/documents', (req, res, next) => {
          const write = async () => {
            const { versions: seen } = precondition(req, {}, { required: true })
            const { rowCount } = await pool.query(
              'UPDATE documents SET version = version + 1 WHERE id = $1 AND version = ANY($2)',
              [id, seen],
            )
            if (rowCount === 0) throw preconditionFailed()
            res.sendStatus(200)
          }
          write().catch(next)
        })
        const put = async (headers: Record<string, string>) =>
          (await fetch(await set.url('/documents'), { method: 'PUT', headers })).status
        return { put, create: () => pool.query('INSERT INTO documents VALUES ($1, 1)', [id]) }
      }

      it('of 32 at once with one If-Match let one through', async () => {
        const { put, create } = documents()
        await create()
        const statuses = await Promise.all(Array.from({ length: 32 }, () => put({ 'If-Match': '"1"' })))
        expect(statuses.sort()).toEqual([200, ...Array(31).fill(412)])
        expect(await put({ 'If-Match': '"1", "2"' })).toBe(200)
      })

      it('that name no version are refused', async () => {
        const { put, create } = documents()
        await create()
        expect([await put({}), await put({ 'If-Match': 'W/"1"' })]).toEqual([428, 412])
      })
    })

    describe.each(versions)('a replay on %s', (_, framework: typeof express) => {
      it('comes before a precondition, which the first try has made false', async () => {
        const { app, guard, url } = testApp(framework)
        let version = 1
        app.put(
          '/documents',
          guard({ methods: ['PUT'], requirePrecondition: true }, (req, res) => {
            precondition(req, { etag: `"${version}"` })
            res.json(++version)
          }),
        )
        const put = async (key: string, match?: string) =>
          fetch(await url('/documents'), {
            method: 'PUT',
            headers: { 'Idempotency-Key': key, ...(match !== undefined && { 'If-Match': match }) },
          })
        const [first, again, other] = [await put('a', '"1"'), await put('a', '"1"'), await put('b', '"1"')]
        expect([first.status, again.status, again.headers.get('idempotency-replayed'), other.status, version]).toEqual([
          200,
          200,
          'true',
          412,
          2,
        ])
        expect(await other.json()).toMatchObject({ type: expect.stringMatching(/#precondition-failed$/) })
        expect((await put('c')).status).toBe(428)
      })
    })
  })
}

describe('a transaction that cannot be', () => {
  const handler: TransactionHandler<unknown> = (_req, res) => res.sendStatus(201)

  it('is refused where the store has none', () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    expect(() => idempotent(idempotency, { scope: () => 'a', transaction: true }, handler)).toThrow(
      IdempotencyInvalidOptionError,
    )
  })

  it('is refused where the transactions of the store must not be awaited', () => {
    const store = { ...memoryStore(), capabilities: { ...memoryStore().capabilities, transactional: 'sync' as const } }
    const idempotency = createIdempotency({ store, namespace: 'test' })
    expect(() => idempotent(idempotency, { scope: () => 'a', transaction: true }, handler)).toThrow('synchronous')
  })

  it('is refused where the handler is not given', () => {
    const store = { ...memoryStore(), capabilities: { ...memoryStore().capabilities, transactional: 'async' as const } }
    const idempotency = createIdempotency({ store, namespace: 'test' })
    expect(() => idempotent(idempotency, { scope: () => 'a', transaction: true })).toThrow('needs the handler')
  })
})
