/** Answers of a handler that is given to the guard, after Fastify had the answer of a run that was undone. */
import { setImmediate as turn } from 'node:timers/promises'
import { createIdempotency, StoreUnavailableError, unscoped } from '@retryproof/core'
import { TransactionConflictError } from '@retryproof/core/store'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { failingCommits } from '../../../conformance/test/failing-commits.ts'
import { idempotent } from '../src/index.ts'

/** Answers with the number of the run. */
type Handler = (run: number, reply: FastifyReply, request?: FastifyRequest) => unknown
type Options = Pick<HttpOptions<FastifyRequest>, 'record' | 'problem' | 'commitWhen'>

const conflict = () => new TransactionConflictError('serialization failure', { reason: 'conflict' })
const key = { 'idempotency-key': 'k' }
const fails = () => {
  throw new Error('the option failed')
}
const gives: Handler = async (run) => ({ run })

function appOf(handler: Handler, errors: readonly Error[], options: Options = {}, transaction = true) {
  const app = Fastify({ forceCloseConnections: true })
  const counter = { runs: 0 }
  const counted = (request: FastifyRequest, reply: FastifyReply) => handler(++counter.runs, reply, request)
  const all = { scope: unscoped, ...options } as const
  if (transaction) {
    const idempotency = createIdempotency({ store: failingCommits(...errors), namespace: 'test' })
    app.post('/x', idempotent(idempotency, { ...all, transaction }, counted))
  } else {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    app.post('/x', idempotent(idempotency, all, counted))
  }
  const post = async (payload?: string) => {
    const body = payload !== undefined && { payload, headers: { ...key, 'content-type': 'application/octet-stream' } }
    const answer = await app.inject({ method: 'POST', url: '/x', headers: key, ...body })
    return [answer.statusCode, answer.body, answer.headers['idempotency-replayed']]
  }
  return { app, counter, post }
}

const error = (message: string) => JSON.stringify({ statusCode: 500, error: 'Internal Server Error', message })

describe('after a conflict, the second run', () => {
  it.each<[string, Handler]>([
    ['returns its answer', gives],
    ['sends it and returns the reply', async (run, reply) => reply.send({ run })],
    ['sends it and returns the reply at once', (run, reply) => reply.send({ run })],
    ['sends it and returns nothing', (run, reply) => void reply.send({ run })],
    ['sends it later', (run, reply) => void turn().then(() => reply.send({ run }))],
    ['sends it and resolves to nothing', async (run, reply) => void reply.send({ run })],
    [
      'returns what the first had sent',
      (run, reply) => (run === 1 ? void reply.send({ run }) : Promise.resolve({ run })),
    ],
    [
      'sends what the first had returned',
      (run, reply) => (run === 1 ? Promise.resolve({ run }) : void reply.send({ run })),
    ],
  ])('%s', async (_how, handler) => {
    const { counter, post } = appOf(handler, [conflict()])
    expect(await post()).toEqual([200, '{"run":2}', undefined])
    expect(await post()).toEqual([200, '{"run":2}', 'true'])
    expect(counter.runs).toBe(2)
  })

  it('writes to reply.raw', async () => {
    const { post } = appOf((run, reply) => void reply.hijack().raw.end(`run ${run}`), [conflict()])
    expect(await post()).toEqual([200, 'run 2', undefined])
  })

  it('answers through Fastify, where the first wrote to reply.raw', async () => {
    const { post } = appOf(
      (run, reply) => (run === 1 ? void reply.hijack().raw.end('run 1') : gives(run, reply)),
      [conflict()],
    )
    expect(await post()).toEqual([200, '{"run":2}', undefined])
  })

  it.each([new Error('declined'), { statusCode: 402, message: 'declined' }, 'declined', undefined])(
    'throws %s as the first run may',
    async (thrown) => {
      const throwing = (at: number) => async (run: number) => {
        if (run === at) throw thrown
        return { run }
      }
      const [expected] = [await appOf(throwing(1), []).post()]
      const { post } = appOf(throwing(2), [conflict()])
      expect(await post()).toEqual(expected)
    },
  )

  it('answers through the error handler of the application', async () => {
    const { app, post } = appOf(
      async (run) => {
        if (run === 2) throw new Error('declined')
        return { run }
      },
      [conflict()],
    )
    app.setErrorHandler((thrown: Error, _request, reply) => reply.code(402).send(thrown.message))
    expect(await post()).toEqual([402, 'declined', undefined])
  })

  it('begins with the headers and the status that the first began with', async () => {
    const { app } = appOf(
      async (run, reply) => (run === 1 ? reply.code(202).header('x-run', '1').send({ run }) : { run }),
      [conflict()],
    )
    const { statusCode, headers } = await app.inject({ method: 'POST', url: '/x', headers: key })
    expect([statusCode, headers['x-run']]).toEqual([200, undefined])
  })

  it('never begins where the first has read the body', async () => {
    const { app, counter, post } = appOf(
      async (_run, _reply, request) => {
        let read = ''
        for await (const chunk of request?.raw ?? []) read += chunk
        return read
      },
      [conflict()],
    )
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    expect(await post('hello')).toEqual([500, expect.stringContaining('Put a parser before'), undefined])
    expect(await post('hello')).toEqual([200, 'hello', undefined])
    expect(counter.runs).toBe(2)
  })
})

describe('after its answer', () => {
  it('a COMMIT that fails takes back what the answer had set', async () => {
    const { app } = appOf(async (run, reply) => reply.header('x-run', run).hijack().raw.end('x'), [new Error('broke')])
    const { statusCode, headers } = await app.inject({ method: 'POST', url: '/x', headers: key })
    expect([statusCode, headers['x-run']]).toEqual([500, undefined])
  })

  it.each<[string, Error[], Options, unknown[]]>([
    ['a COMMIT that fails', [new Error('duplicate key')], {}, [500, error('duplicate key'), undefined]],
    [
      'an outage at COMMIT',
      [new StoreUnavailableError('gone', { applied: 'no' })],
      {},
      [503, expect.stringContaining('#unavailable'), undefined],
    ],
    [
      'an outage and a `problem` that throws',
      [new StoreUnavailableError('gone', { applied: 'no' })],
      { problem: fails },
      [500, error('the option failed'), undefined],
    ],
    ['a `commitWhen` that throws', [], { commitWhen: fails }, [500, error('the option failed'), undefined]],
    ['a `record` that throws', [], { record: fails }, [500, error('the option failed'), undefined]],
  ])('%s is answered', async (_what, errors, options, expected) => {
    expect(await appOf(gives, errors, options).post()).toEqual(expected)
  })

  it('a `record` that throws is answered without a transaction', async () => {
    expect(await appOf(gives, [], { record: fails }, false).post()).toEqual([
      500,
      error('the option failed'),
      undefined,
    ])
  })
})
