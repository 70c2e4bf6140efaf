/** The demo's world: provider, worker, network and records, wired together. */

import { join } from 'node:path'
import { createIdempotency, type Inspection } from '@retryproof/core'
import { responseSerializer } from '@retryproof/http'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import { openGateway } from './gateway.ts'
import { chargeOperation, customer, NAMESPACE } from './naming.ts'
import { servePage } from './page.ts'
import { type Child, start } from './process.ts'

export interface Payment {
  readonly key: string
  readonly record: Inspection | null
  readonly charges: number
}

export interface Shop {
  readonly url: string
  readonly on: boolean
  /** Resolves when the worker has reached the place, was killed there, and a new one listens. */
  killWorkerAt(place: string): Promise<void>
  lostResponses(): number
  /** What the store and the provider know of some payments; without `keys`, of all that were charged. */
  payments(keys?: readonly string[]): Promise<Payment[]>
  close(): Promise<void>
}

export async function openShop({ folder, on, seed }: { folder: string; on: boolean; seed: number }): Promise<Shop> {
  const storeFile = join(folder, 'records.db')
  const database = new Database(storeFile)
  await migrate({ database })
  const idempotency = createIdempotency({
    store: sqliteStore({ database }),
    namespace: NAMESPACE,
    serializer: responseSerializer,
  })
  const provider = await start('./provider.ts', { PROVIDER_FILE: join(folder, 'provider.db') })
  const startWorker = () =>
    start('./worker.ts', { PROVIDER_URL: provider.url, STORE_FILE: storeFile, IDEMPOTENCY: on ? 'on' : 'off' })
  let worker: Child = await startWorker()

  async function payments(keys?: readonly string[]): Promise<Payment[]> {
    const counted = (await (await fetch(`${provider.url}/charges`)).json()) as { reference: string; charges: number }[]
    const charges = new Map(counted.map((row) => [row.reference, row.charges]))
    const inspect = (key: string) => idempotency.inspect({ operation: chargeOperation, scope: customer, key })
    return Promise.all(
      (keys ?? [...charges.keys()]).map(async (key) => ({
        key,
        record: await inspect(key),
        charges: charges.get(key) ?? 0,
      })),
    )
  }

  const gateway = await openGateway(() => worker.url, randomFrom(seed), servePage({ on, payments }))

  return {
    url: gateway.url,
    on,
    payments,
    lostResponses: gateway.lost,
    async killWorkerAt(place) {
      const doomed = worker
      await new Promise<void>((resolve) => doomed.onMessage((message) => message === place && resolve()))
      await doomed.kill()
      worker = await startWorker()
    },
    async close() {
      await gateway.close()
      await Promise.all([worker.kill(), provider.kill()])
      database.close()
    },
  }
}

/** Repeatable numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
