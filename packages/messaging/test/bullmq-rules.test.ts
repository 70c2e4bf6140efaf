/** Tests of BullMQ's own rules: ids that start again, locks, and the limits of a worker. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { Queue, type WorkerOptions } from 'bullmq'
import { afterEach, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { type BullJob, type BullOptions, idempotent } from '../src/bullmq.ts'
import type { ConsumerHandle, Verdict } from '../src/index.ts'
import { openWorker } from './bullmq-handle.ts'

const redis = await service('redis')
const connection = { url: redis.url, maxRetriesPerRequest: null }
const toClose: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

function openRules() {
  const name = `rules-${randomBytes(6).toString('hex')}`
  const queue = new Queue(name, { connection })
  const deadLetters = new Queue(`${name}-dead`, { connection })
  toClose.push(
    () => queue.close(),
    () => deadLetters.close(),
  )
  const idempotency = createIdempotency({ store: memoryStore(), namespace: name })
  const verdicts: Verdict[] = []
  async function start(
    handler: (body: unknown, job: BullJob) => unknown,
    options: Partial<BullOptions<unknown, false>> = {},
    limits: Partial<WorkerOptions> = {},
  ): Promise<ConsumerHandle> {
    const processor = idempotent(
      idempotency,
      {
        deadLetters,
        scope: unscoped,
        redeliveryDelay: { first: 10, max: 100 },
        onVerdict: (verdict) => verdicts.push(verdict),
        ...options,
      },
      (body, { message }) => handler(body, message),
    )
    const { handle: consuming } = openWorker(name, processor, { connection, maxStalledCount: 5, ...limits })
    toClose.push(() => consuming.drain())
    return consuming
  }
  const because = () => verdicts.map((verdict) => verdict.because)
  return { name, queue, deadLetters, idempotency, start, because }
}

describe.skipIf(redis.missing)(`BullMQ on ${redis.title}`, () => {
  test('ids that start again are those of other jobs', async () => {
    const { queue, start, because } = openRules()
    const bodies: unknown[] = []
    const first = await start((body) => bodies.push(body))
    const one = await queue.add('order', { n: 1 })
    await expect.poll(because).toEqual(['handled'])
    await first.drain()
    await queue.obliterate({ force: true })
    await start((body) => bodies.push(body))
    const other = await queue.add('order', { n: 1 })
    await expect.poll(because).toEqual(['handled', 'handled'])
    expect(other.id).toBe(one.id)
    expect(bodies).toEqual([{ n: 1 }, { n: 1 }])
  })

  test('a job that fails is delayed, and uses up none of its attempts', async () => {
    const { queue, start, because } = openRules()
    let failures = 3
    await start(() => {
      if (failures-- > 0) throw new Error('not yet')
    })
    const job = await queue.add('order', { n: 1 }, { attempts: 1 })
    await expect.poll(because).toEqual(['failed', 'failed', 'failed', 'handled'])
    await expect.poll(() => job.getState()).toBe('completed')
  })

  test('a job that is added again under its id of the business is a duplicate', async () => {
    const { queue, start, because } = openRules()
    await start(() => {}, { id: (body) => String((body as { n: number }).n) })
    await queue.add('order', { n: 1 })
    await queue.add('order', { n: 1 })
    await expect.poll(() => because().sort()).toContain('duplicate')
    expect(because().filter((each) => each === 'handled')).toHaveLength(1)
  })

  test('a dead letter says why; added again once its id was forgotten, it is handled as the job that it was', async () => {
    const { name, queue, deadLetters, idempotency, start, because } = openRules()
    const bodies: unknown[] = []
    let isBroken = true
    await start(
      (body) => {
        if (isBroken) throw new Error('broken')
        bodies.push(body)
      },
      { maxAttempts: 1 },
    )
    const job = await queue.add('order', { n: 1 })
    await expect.poll(() => deadLetters.getWaitingCount()).toBe(1)
    const [letter] = await deadLetters.getWaiting()
    expect(letter?.data).toMatchObject({
      'retryproof-reason': 'max-attempts',
      'retryproof-attempts': '1',
      'retryproof-operation': name,
      data: { n: 1 },
    })
    const key = letter?.data['retryproof-id']
    expect(key).toBe(`${name}:${job.id}:${job.timestamp}`)
    await expect.poll(because).toEqual(['dead-letter'])
    isBroken = false
    expect(await idempotency.forget({ operation: name, scope: unscoped, key })).toBe(true)
    await queue.add('order', letter?.data)
    await expect.poll(because).toEqual(['dead-letter', 'handled'])
    expect(bodies).toEqual([{ n: 1 }])
  })

  test('a worker that fails jobs too early is told of at its first job', async () => {
    const { queue, start, because } = openRules()
    const errors: unknown[] = []
    await start(() => {}, { onError: (error) => errors.push(error) }, { maxStalledCount: 1 })
    await queue.add('order', { n: 1 })
    await expect.poll(because).toEqual(['handled'])
    expect(String(errors)).toMatch(/whose workers crashed 2 times, and `maxAttempts` is 5/)
  })

  test('the last start of a job that fails is a dead letter', async () => {
    const { queue, deadLetters, start, because } = openRules()
    const fail = () => {
      throw new Error('not yet')
    }
    await start(fail, {}, { maxStartedAttempts: 2 })
    await queue.add('order', { n: 1 })
    await expect.poll(because).toEqual(['failed', 'dead-letter'])
    const [letter] = await deadLetters.getWaiting()
    expect(letter?.data['retryproof-reason']).toBe('last-delivery')
  })

  test('dead letters in the queue of the jobs are refused, and the job fails', async () => {
    const { queue, start } = openRules()
    await start(() => {}, { deadLetters: queue })
    const job = await queue.add('order', { n: 1 })
    await expect.poll(() => job.getState()).toBe('failed')
  })

  test('what a publisher writes into its data takes no other job its id', async () => {
    const { name, queue, deadLetters, start, because } = openRules()
    const bodies: unknown[] = []
    await start((body) => bodies.push(body))
    const [id, timestamp] = ['alice', Date.now()]
    const spoofed = { 'retryproof-reason': 'x', 'retryproof-id': `${name}:${id}:${timestamp}`, data: { n: 'mallory' } }
    await queue.add('order', spoofed)
    await expect.poll(because).toEqual(['handled'])
    await queue.add('order', { n: 'alice' }, { jobId: id, timestamp })
    await expect.poll(because).toEqual(['handled', 'handled'])
    expect(bodies).toEqual([{ n: 'mallory' }, { n: 'alice' }])
    expect(await deadLetters.getWaitingCount()).toBe(0)
  })
})
