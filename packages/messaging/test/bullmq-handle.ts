/** A worker of BullMQ as the handle that the other bindings give. */
import { Worker, type WorkerOptions } from 'bullmq'
import type { BullProcessor } from '../src/bullmq.ts'
import type { ConsumerHandle } from '../src/index.ts'

export function openWorker(
  name: string,
  processor: BullProcessor,
  options: WorkerOptions,
): { readonly worker: Worker; readonly handle: ConsumerHandle } {
  let active = 0
  const worker = new Worker(
    name,
    async (job, token) => {
      active++
      await processor(job, token).finally(() => active--)
    },
    options,
  )
  worker.on('error', () => {})
  const closed = new Promise<void>((resolve) => worker.once('closed', resolve))
  const handle: ConsumerHandle = {
    closed,
    async drain({ timeout = 30_000 } = {}) {
      const late = new Promise((resolve) => setTimeout(resolve, Number(timeout)))
      await Promise.race([worker.close(), late])
      return { unfinished: active }
    },
  }
  return { worker, handle }
}
