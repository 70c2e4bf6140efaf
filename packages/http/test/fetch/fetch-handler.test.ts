import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { attemptOf, type FetchOptions, idempotent } from '../../src/fetch.ts'
import { preconditionFailed } from '../../src/precondition.ts'
import { statusResource } from '../../src/status.ts'
import { deferred } from '../deferred.ts'

const create = () => createIdempotency({ store: memoryStore(), namespace: 'test' })
const options = { scope: unscoped, operation: 'charge' } as const

function post(init: RequestInit = {}): Request {
  const headers = { 'Idempotency-Key': 'k1', 'Content-Type': 'application/json', ...init.headers }
  return new Request('http://test/charges', { method: 'POST', body: '{"amount":1}', ...init, headers })
}

describe('a Fetch handler', () => {
  it('is given the request itself, what the framework passes, and its attempt', async () => {
    const charge = idempotent(create(), options, async (request, { attempt }, params: { id: string }) => {
      expect(attemptOf(request)).toBe(attempt)
      return Response.json({ given: request === sent, body: await request.json(), id: params.id, n: attempt?.number })
    })
    const sent = post()
    expect(await (await charge(sent, { id: '7' })).json()).toEqual({ given: true, body: { amount: 1 }, id: '7', n: 1 })
    const again = await charge(post(), { id: '7' })
    expect([again.headers.get('idempotency-replayed'), await again.json()]).toMatchObject(['true', { id: '7' }])
  })

  it('answers itself, and without an attempt, where the method is not guarded', async () => {
    const answer = new Response('as it is')
    const read = idempotent(create(), options, (_request, { attempt }) => {
      expect(attempt).toBeUndefined()
      return answer
    })
    expect(await read(new Request('http://test/'))).toBe(answer)
  })

  it('replays an empty text as a body, which servers give a length', async () => {
    const charge = idempotent(create(), options, () => new Response(''))
    expect((await charge(post())).body).not.toBeNull()
    const again = await charge(post())
    expect([again.headers.get('idempotency-replayed'), again.body, await again.text()]).toEqual([
      'true',
      expect.any(ReadableStream),
      '',
    ])
  })

  it('replays the answer for the same request object given again', async () => {
    let runs = 0
    const charge = idempotent(create(), options, () => Response.json({ run: ++runs }))
    const sent = post()
    expect(await (await charge(sent)).json()).toEqual({ run: 1 })
    const again = await charge(sent.bodyUsed ? post() : sent)
    expect([again.headers.get('idempotency-replayed'), await again.json()]).toEqual(['true', { run: 1 }])
  })

  it('hands on what its handler throws', async () => {
    const failure = new Error('no such card')
    const charge = idempotent(create(), options, () => Promise.reject(failure))
    await expect(charge(post())).rejects.toBe(failure)
  })

  it('tells the runtime to wait until the work is done, and not only answered', async () => {
    const works: Promise<void>[] = []
    const gate = deferred()
    const waiting: FetchOptions<[]> = { ...options, waitUntil: (work) => works.push(work) }
    async function* events() {
      yield new TextEncoder().encode('data: 1\n\n')
      await gate.promise
    }
    const stream = idempotent(
      create(),
      waiting,
      () => new Response(ReadableStream.from(events()), { headers: { 'Content-Type': 'text/event-stream' } }),
    )
    const answer = await stream(post())
    await answer.body?.cancel()
    let isDone = false
    void works[0]?.then(() => {
      isDone = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect([works.length, isDone]).toEqual([1, false])
    gate.resolve()
    await works[0]
    expect((await stream(post())).status).toBe(410)
  })

  it('fails what the runtime waits for, where the client was answered before', async () => {
    const idempotency = create()
    const works: Promise<void>[] = []
    const status = statusResource<Request>(idempotency, {
      path: '/jobs',
      scope: unscoped,
      secret: 'sixteen random bytes',
    })
    const early: FetchOptions<[]> = {
      ...options,
      respond: 'async',
      storeRequest: 'no',
      statusResource: status,
      waitUntil: (work) => works.push(work),
    }
    const charge = idempotent(idempotency, early, () => Promise.reject(new Error('too late to tell')))
    expect((await charge(post())).status).toBe(202)
    await expect(works[0]).rejects.toThrow('too late to tell')
  })

  it('answers a failed precondition, and keeps the key free', async () => {
    let version = 1
    const update = idempotent(create(), options, () => {
      if (version === 1) throw preconditionFailed()
      return Response.json({ version })
    })
    expect((await update(post())).status).toBe(412)
    version = 2
    expect(await (await update(post())).json()).toEqual({ version: 2 })
  })

  it('refuses a request that somebody has read', async () => {
    const charge = idempotent(create(), options, () => new Response())
    const request = post()
    await request.text()
    await expect(charge(request)).rejects.toThrow(IdempotencyInvalidOptionError)
  })

  it('refuses a body that is too large, by its length or by reading it', async () => {
    const charge = idempotent(create(), { ...options, maxRequestBytes: 10 }, () => new Response())
    expect((await charge(post({ body: 'x'.repeat(11) }))).status).toBe(413)
    const unknown = post({
      body: ReadableStream.from([new Uint8Array(6), new Uint8Array(6)]),
      duplex: 'half',
    } as RequestInit)
    expect((await charge(unknown)).status).toBe(413)
  })

  it('needs a name for what it does, since Fetch knows no routes', async () => {
    const charge = idempotent(create(), { scope: unscoped }, () => new Response())
    await expect(charge(post())).rejects.toThrow('operation')
  })
})

describe('an ending of a Fetch handler', () => {
  const released = () => {
    const idempotency = create()
    const events: string[] = []
    idempotency.on('released', () => events.push('released'))
    idempotency.on('completed', () => events.push('completed'))
    return { idempotency, events }
  }

  it.each([[undefined], [null], ['text'], [{}]])(
    'without a response is what it is without the guard: %j',
    async (given) => {
      const { idempotency, events } = released()
      const charge = idempotent(idempotency, options, (() => given) as unknown as () => Response)
      expect(await charge(post())).toBe(given)
      expect(await charge(post())).toBe(given)
      expect(events).toEqual(['released', 'released'])
    },
  )

  it.each([[new Error('x')], ['text'], [0], [null], [undefined]])(
    'by a throw rejects with what was thrown: %j',
    async (error) => {
      const { idempotency, events } = released()
      const charge = idempotent(idempotency, options, () => Promise.reject(error))
      const outcome = charge(post()).then(
        () => 'resolved',
        (thrown: unknown) => ({ thrown }),
      )
      expect(await outcome).toEqual({ thrown: error })
      expect(events).toEqual(['released'])
    },
  )

  it('by a stream that fails before it is complete releases the key', async () => {
    const { idempotency, events } = released()
    const broken = () => new ReadableStream({ start: (controller) => controller.error(new Error('lost')) })
    const charge = idempotent(idempotency, options, () => new Response(broken()))
    await expect(charge(post())).rejects.toThrow('lost')
    expect(events).toEqual(['released'])
  })

  it('by a response of an upgrade goes as it is, and is not replayed', async () => {
    const { idempotency } = released()
    const upgrade = { status: 101, headers: new Headers(), body: null } as Response
    const charge = idempotent(idempotency, options, () => upgrade)
    expect(await charge(post())).toBe(upgrade)
    expect((await charge(post())).status).toBe(410)
  })
})
