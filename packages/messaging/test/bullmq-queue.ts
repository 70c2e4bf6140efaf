/** Queues of BullMQ for the suite. */
import { randomBytes } from 'node:crypto'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import { Queue, Worker } from 'bullmq'
import { consume, type DeadLetterData } from '../src/bullmq.ts'
import { REASON_HEADER } from '../src/index.ts'

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
    async publish({ body }) {
      await queue.add('order', body)
    },
    async consume(idempotency, options, handler) {
      const worker = (processor: ConstructorParameters<typeof Worker>[1]) => {
        const made = new Worker(name, processor, {
          connection,
          lockDuration: lockMs,
          stalledInterval: lockMs / 2,
          maxStalledCount: 20,
          skipLockRenewal: true,
        })
        workers.push(made)
        cut = () => made.close(true)
        return made
      }
      const parse = (bytes: Uint8Array) => JSON.parse(JSON.parse(Buffer.from(bytes).toString()))
      return consume(idempotency, { ...options, worker, deadLetters: dead, parse } as never, handler as never)
    },
    cut: () => cut(),
    async deadLetters() {
      const jobs = await dead.getJobs(['waiting'], 0, -1)
      return jobs.map((job) => ({ body: String(read(job).data), reason: read(job)[REASON_HEADER], job }))
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
