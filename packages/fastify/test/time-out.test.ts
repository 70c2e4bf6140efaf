/** Answers that leave while a handler of Fastify is at work, and what becomes of the key. */
import { executionAsyncResource } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { createIdempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { deferred } from '../../http/test/deferred.ts'
import { idempotent } from '../src/index.ts'

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

describe.each([
  ['given to the guard', true],
  ['behind the guard', false],
])('a handler %s', (_form, isGiven) => {
  const answerTooLate = (reply: FastifyReply) => {
    if (!reply.sent) reply.code(503).send('too late')
  }

  /** Serves a handler that is run once with `first`, past which timers act in one turn, and that answers from then on. */
  function serving(
    first: (reply: FastifyReply) => unknown,
    options: Partial<HttpOptions<FastifyRequest>> = {},
    timers: readonly ((reply: FastifyReply) => void)[] = [answerTooLate],
  ) {
    const app = Fastify()
    apps.push(app)
    let runs = 0
    const onRequest: onRequestHookHandler = (_request, reply, done) => {
      for (const act of runs === 0 ? timers : []) {
        const onTimeOut = () => (runs === 0 ? (executionAsyncResource() as NodeJS.Timeout).refresh() : act(reply))
        setTimeout(onTimeOut, 1)
      }
      done()
    }
    const handler = (_request: FastifyRequest, reply: FastifyReply) =>
      ++runs === 1 ? first(reply) : reply.code(201).send({ runs })
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    const all: HttpOptions<FastifyRequest> = { scope: unscoped, ...options }
    if (isGiven) app.post('/', { onRequest, ...idempotent(idempotency, all, handler) })
    else app.post('/', { onRequest, ...idempotent(idempotency, all) }, handler)
    return () => app.inject({ method: 'POST', url: '/', headers: { 'idempotency-key': 'k' } })
  }

  /** Sends again until the handler of before has ended. */
  async function untilDecided(post: ReturnType<typeof serving>) {
    let answer = await post()
    while (answer.headers['retry-after']) {
      // no socket is between them that would let others have their turn
      await turn()
      answer = await post()
    }
    return answer
  }

  it('of callbacks, past which a timer answers, keeps its key and is recorded', async () => {
    const work = deferred()
    const post = serving((reply) => {
      setImmediate(async () => {
        await work.promise
        reply.code(201).send({ own: true })
      })
    })
    expect((await post()).body).toBe('too late')
    expect((await post()).statusCode).toBe(409)
    work.resolve()
    expect((await untilDecided(post)).json()).toEqual({ own: true })
  })

  it('that answers 503 itself keeps its key until it has cleaned up, and runs again', async () => {
    const work = deferred()
    const post = serving(async (reply) => {
      reply.code(503).send('later')
      await work.promise
    })
    expect((await post()).body).toBe('later')
    expect((await post()).statusCode).toBe(409)
    work.resolve()
    expect((await untilDecided(post)).json()).toEqual({ runs: 2 })
  })

  it('that answers 503 itself, and ends in the turn in which a timer answers, runs again', async () => {
    const work = deferred()
    const first = async (reply: FastifyReply) => {
      reply.code(503).send('later')
      await work.promise
    }
    const post = serving(first, {}, [() => work.resolve(), answerTooLate])
    expect((await post()).body).toBe('later')
    expect((await untilDecided(post)).json()).toEqual({ runs: 2 })
  })

  it('which a timer aborts as it answers leaves an unknown outcome', async () => {
    const work = deferred()
    const abort = (reply: FastifyReply) => {
      work.resolve()
      answerTooLate(reply)
    }
    const post = serving(() => work.promise, { onTakeover: 'park' }, [abort])
    expect((await post()).body).toBe('too late')
    expect((await untilDecided(post)).body).toContain('outcome-unknown')
  })

  it('past which a timer answers, and that never does, leaves an unknown outcome', async () => {
    const work = deferred()
    const post = serving(() => work.promise, { onTakeover: 'park' })
    expect((await post()).body).toBe('too late')
    work.resolve()
    expect((await untilDecided(post)).body).toContain('outcome-unknown')
  })
})
