/** A process that takes orders, each as far as it is told to, and stands there until it is killed. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createIdempotency, unscoped } from '@retryproof/core'
import { openBackend } from '../../crash-drill/src/backends.ts'
import type { Place } from '../../crash-drill/src/place.ts'
import { CHARGES } from './charges.ts'
import { takeOrder } from './order.ts'

export interface Job {
  readonly place: Place
  readonly leaseMs: number
  /** At which point each order is to stand still, by its key; null: it is finished. */
  readonly orders: Readonly<Record<string, number | null>>
}

export type Report =
  | { readonly stands: string }
  | { readonly finished: string; readonly value: unknown; readonly attempt: number; readonly replayed: boolean }
  | { readonly failed: string; readonly message: string }

const { place, leaseMs, orders }: Job = JSON.parse(process.env.JOB ?? '')
const { store, insert } = await openBackend(place)
const idempotency = createIdempotency({ store, namespace: 'shop', lease: leaseMs, retention: '1h' })
const tell = (report: Report) => process.send?.(report)
/** The clock that all processes of this machine have in common says in which order they did what they did. */
const effect = (key: string, name: string) => ({
  key,
  value: `${String(process.hrtime.bigint()).padStart(20, '0')} ${name}`,
})

process.on('disconnect', () => process.exit())
for (const [key, deathPoint] of Object.entries(orders)) void take(key, deathPoint)

async function take(key: string, deathPoint: number | null): Promise<void> {
  const call = { operation: 'order', scope: unscoped, key, payload: { key } } as const
  try {
    const { value, attempt, replayed } = await idempotency.run(
      call,
      (running) =>
        takeOrder(running, {
          async reach(point) {
            if (point !== deathPoint) return
            tell({ stands: key })
            await new Promise<never>(() => {})
          },
          charge: (name) => appendFileSync(join(place.folder, CHARGES), `${JSON.stringify(effect(key, name))}\n`),
          write: (tx, name) => insert(tx, effect(key, name)),
        }),
      { onInProgress: { wait: '60s' } },
    )
    tell({ finished: key, value, attempt, replayed })
  } catch (error) {
    tell({ failed: key, message: String(error instanceof Error ? error.stack : error) })
  }
}
