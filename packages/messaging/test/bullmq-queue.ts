/** Queues of BullMQ for the suite. */
import { randomBytes } from 'node:crypto'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import { Queue, type Worker } from 'bullmq'
import { type DeadLetterData, idempotent } from '../src/bullmq.ts'
import { REASON_HEADER, ROUND_HEADER } from '../src/index.ts'
import { openWorker } from './bullmq-handle.ts'

const lettersOf = (data: DeadLetterData) => ({
  body: String(data.data),
  reason: data[REASON_HEADER],
  round: (data as unknown as Record<string, string>)[ROUND_HEADER],
})

/** The data of a job is a text here, so that one can be unreadable. */
export async function openBullQueue(url: string, lockMs: number): Promise<TestQueue> {
  const connection = { url, maxRetriesPerRequest: null }
  const name = `suite-${randomBytes(6).toString('hex')}`
  const queue = new Queue(name, { connection })
  const dead = new Queue(`${name}-dead`, { connection })
  const workers: Worker[] = []
  const read = (job: { data: unknown }) => job.data as DeadLetterData
  let cut = async () => {}

  return {
    async publish({ body, headers }) {
      await queue.add('order', headers ? { ...headers, data: body } : body)
    },
    async consume(idempotency, { concurrency = 10, ...options }, handler) {
      const parse = async (bytes: Uint8Array, job: { readonly data: unknown }) => {
        const read: unknown = JSON.parse(Buffer.from(bytes).toString())
        return options.parse ? options.parse(Buffer.from(String(read)), job as never) : JSON.parse(String(read))
      }
      const all = { ...options, deadLetters: dead, parse }
      const { worker, handle } = openWorker(name, idempotent(idempotency, all as never, handler as never), {
        connection,
        concurrency,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        maxStalledCount: 20,
      })
      workers.push(worker)
      cut = () => worker.close(true)
      return handle
    },
    cut: () => cut(),
    async deadLetters() {
      const jobs = await dead.getJobs(['waiting'], 0, -1)
      return jobs.map((job) => ({ ...lettersOf(read(job)), job }))
    },
    async redrive(letter) {
      const { job } = letter as TestLetter & { job: { data: unknown } }
      await queue.add('order', job.data)
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)))
      await Promise.all([queue, dead].map((each) => each.obliterate({ force: true }).then(() => each.close())))
    },
  }
}
