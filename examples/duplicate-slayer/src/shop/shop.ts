/** The demo's world behind the network: the payment provider, the worker of the moment, and the records, which it reads. */
import { join } from 'node:path'
import { createIdempotency, type Inspection } from '@retryproof/core'
import { responseSerializer } from '@retryproof/http'
import { chargeOperation, type DeathPoint, NAMESPACE, type StoreName } from '../naming.ts'
import { type Child, type Message, start } from './process.ts'
import { type OpenStore, openStore } from './stores.ts'

export interface Shop {
  /** The worker of the moment. */
  worker(): { readonly url: string; readonly pid: number }
  /** The record of a payment in the store. */
  inspect(key: string): Promise<Inspection | null>
  /** The number of charges of the provider for each order. */
  charges(): Promise<Map<string, number>>
  /** Resolves when the worker has reached the place, was killed there, and a new one listens. */
  killWorkerAt(place: DeathPoint): Promise<{ readonly killed: number; readonly successor: number }>
  /** Empties the books of the provider, whose next charge is the first again. */
  forgetCharges(): Promise<void>
  /** Goes on with a new worker, and records elsewhere. */
  useStore(name: StoreName, place: string): Promise<void>
  close(): Promise<void>
}

export interface ShopOptions {
  /** For the databases of provider and SQLite store. */
  readonly folder: string
  /** The owner of all keys: shops that share a store have different ones. */
  readonly customer: string
  /** The time that the provider takes for a charge. @default 0 */
  readonly providerTakesMs?: number
  /** The messages of the processes. */
  readonly onMessage?: (message: Message) => void
}

export function sqliteFile(folder: string): string {
  return join(folder, 'records.db')
}

export async function openShop({ folder, customer, providerTakesMs = 0, onMessage }: ShopOptions): Promise<Shop> {
  let reached: (place: DeathPoint) => void = () => {}
  const listen = (message: Message) => {
    if ('reached' in message) reached(message.reached)
    onMessage?.(message)
  }
  const providerEnv = { PROVIDER_FILE: join(folder, 'provider.db'), PROVIDER_TAKES_MS: String(providerTakesMs) }
  const provider = await start('./provider.ts', providerEnv, listen)
  let kept = { name: 'sqlite' as StoreName, place: sqliteFile(folder) }
  let records = await openRecords(kept.name, kept.place, customer)
  let worker = await startWorker()
  let changing: Promise<unknown> = Promise.resolve()

  function startWorker(): Promise<Child> {
    const place = { STORE: kept.name, STORE_PLACE: kept.place }
    return start('./worker.ts', { PROVIDER_URL: provider.url, CUSTOMER: customer, ...place }, listen)
  }

  /** A worker is replaced by one change at a time. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = changing.then(change)
    changing = done.catch(() => {})
    return done
  }

  return {
    worker: () => worker,
    inspect: (key) => records.inspect(key),

    async charges() {
      const counted = await (await fetch(`${provider.url}/charges`)).json()
      return new Map((counted as { reference: string; charges: number }[]).map((row) => [row.reference, row.charges]))
    },

    async forgetCharges() {
      await fetch(`${provider.url}/charges`, { method: 'DELETE' })
    },

    killWorkerAt: (place) =>
      inTurn(async () => {
        await new Promise<void>((resolve) => {
          reached = (where) => where === place && resolve()
        })
        const killed = worker.pid
        await worker.kill()
        worker = await startWorker()
        return { killed, successor: worker.pid }
      }),

    useStore: (name, place) =>
      inTurn(async () => {
        const next = await openRecords(name, place, customer)
        await records.close()
        records = next
        kept = { name, place }
        await worker.kill()
        worker = await startWorker()
      }),

    async close() {
      await Promise.all([worker.kill(), provider.kill(), records.close()])
    },
  }
}

/** Looks on from outside, at the same records as the worker. */
async function openRecords(name: StoreName, place: string, customer: string) {
  const { store, close }: OpenStore = await openStore[name](place)
  const idempotency = createIdempotency({ store, namespace: NAMESPACE, serializer: responseSerializer })
  return {
    inspect: (key: string) => idempotency.inspect({ operation: chargeOperation, scope: customer, key }),
    close,
  }
}
