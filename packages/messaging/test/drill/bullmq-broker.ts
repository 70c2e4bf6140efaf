import { unscoped } from '@retryproof/core'
import { Queue } from 'bullmq'
import { idempotent } from '../../src/bullmq.ts'
import { REASON_HEADER } from '../../src/index.ts'
import { openWorker } from '../bullmq-handle.ts'
import type { DrillBroker, Order, Place } from './place.ts'

export function bullmqBroker(): DrillBroker {
  const opened = new Map<string, Queue>()
  const connectionOf = ({ url }: Place) => ({ url, maxRetriesPerRequest: null })
  const open = (place: Place, name: string) => {
    const known = opened.get(name)
    if (known) return known
    const queue = new Queue(name, { connection: connectionOf(place) })
    queue.on('error', () => {})
    opened.set(name, queue)
    return queue
  }

  return {
    service: 'redis',
    prepare: async () => undefined,
    async publish(place, orders) {
      const queue = open(place, place.name)
      for (let i = 0; i < orders.length; i += 1000) {
        await queue.addBulk(orders.slice(i, i + 1000).map((data) => ({ name: 'order', data })))
      }
    },
    /** A job's data are JSON: what does not parse is a text. */
    async publishRaw(place, messages) {
      const queue = open(place, place.name)
      const parse = (body: Buffer): unknown => {
        try {
          return JSON.parse(body.toString())
        } catch {
          return body.toString()
        }
      }
      for (let i = 0; i < messages.length; i += 500) {
        await queue.addBulk(messages.slice(i, i + 500).map(({ body }) => ({ name: 'constructor', data: parse(body) })))
      }
    },
    async letters(place) {
      const jobs = await open(place, `${place.name}-dead`).getJobs(['waiting'], 0, -1)
      return jobs.map(({ data }) => ({
        reason: data[REASON_HEADER],
        number: undefined,
        body: JSON.stringify(data.data),
      }))
    },
    async consume(place, idempotency, options, handler) {
      const all = {
        ...options,
        deadLetters: open(place, `${place.name}-dead`),
        scope: unscoped,
        id: ({ id }: Order) => id,
      } as const
      const { handle } = openWorker(place.name, idempotent(idempotency, all, handler), {
        connection: connectionOf(place),
        concurrency: 10,
        lockDuration: 3000,
        stalledInterval: 1000,
        maxStalledCount: 100,
        removeOnComplete: { count: 0 },
      })
      return handle
    },
    async left(place) {
      const counts = await open(place, place.name).getJobCounts('waiting', 'active', 'delayed', 'failed')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async deadLetters(place) {
      const jobs = await open(place, `${place.name}-dead`).getJobs(['waiting'], 0, -1)
      return jobs.map(({ data }) => String(data.data.id))
    },
    close: () => Promise.all([...opened.values()].map((queue) => queue.close())),
  }
}
