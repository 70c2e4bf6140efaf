/** Runs of a handler after its transaction lost a conflict. */
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { createIdempotency, unscoped } from '@retryproof/core'
import { TransactionConflictError } from '@retryproof/core/store'
import type express from 'express'
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { failingCommits } from '../../../conformance/test/failing-commits.ts'
import { idempotent } from '../src/index.ts'
import { json, testApp, versions } from './app.ts'

const conflict = () => new TransactionConflictError('serialization failure', { reason: 'conflict' })

describe.each(versions)('after a conflict, a handler of %s', (_, framework: typeof express) => {
  function setUp(read: (req: Request) => unknown, { before = [] as RequestHandler[], fingerprint = true } = {}) {
    const idempotency = createIdempotency({ store: failingCommits(conflict()), namespace: 'test' })
    const { app, post } = testApp(framework, idempotency)
    const errors: unknown[] = []
    const counter = { runs: 0 }
    const options = { scope: unscoped, transaction: true, ...(!fingerprint && { fingerprint: () => 'same' }) } as const
    for (const each of before) app.use(each)
    app.post(
      '/x',
      idempotent(idempotency, options, async (req, res) => {
        counter.runs++
        res.status(201).json({ read: await read(req) })
      }),
    )
    const note: ErrorRequestHandler = (error, _req, res, _next) => {
      errors.push(error)
      res.sendStatus(500)
    }
    app.use(note)
    const send = async () => {
      const response = await post('/x', json({ amount: 7 }))
      return [response.status, await response.text(), counter.runs]
    }
    return { errors, send }
  }

  it.each<[string, (req: Request) => Promise<unknown>]>([
    ['by iteration', (req) => text(req)],
    [
      'by events',
      async (req) => {
        const chunks: Buffer[] = []
        req.on('data', (chunk) => chunks.push(chunk))
        await once(req, 'end')
        return String(Buffer.concat(chunks))
      },
    ],
  ])('that read the body %s does not run again, and the next try does', async (_how, read) => {
    for (const fingerprint of [true, false]) {
      const { errors, send } = setUp(read, { fingerprint })
      expect(await send()).toEqual([500, 'Internal Server Error', 1])
      expect(errors).toMatchObject([
        { code: 'IDEMPOTENCY_INVALID_CALL', message: expect.stringContaining('Put a parser before') },
      ])
      expect(await send()).toEqual([201, '{"read":"{\\"amount\\":7}"}', 2])
    }
  })

  it('does not run again where a parser of another media type came before', async () => {
    const { send } = setUp((req) => text(req), { before: [framework.urlencoded({ extended: true })] })
    expect(await send()).toEqual([500, 'Internal Server Error', 1])
  })

  it('runs again with the body that a parser left', async () => {
    const { send } = setUp(({ body }) => body, { before: [framework.json()] })
    expect(await send()).toEqual([201, '{"read":{"amount":7}}', 2])
  })

  it('runs again with the body that it had parsed itself', async () => {
    const parse = promisify(framework.json())
    const { send } = setUp(async (req) => {
      await parse(req, req.res as Response)
      return req.body
    })
    expect(await send()).toEqual([201, '{"read":{"amount":7}}', 2])
  })

  it('runs again where it leaves the body alone', async () => {
    const { send } = setUp(() => 'nothing')
    expect(await send()).toEqual([201, '{"read":"nothing"}', 2])
  })
})
