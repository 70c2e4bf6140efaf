/** Pays an order with the client of this project: one key per order, on every try, after a reload and in all tabs. */
import { createIdempotentFetch } from '@retryproof/client'
import type { Backend } from '../backends/backend.ts'
import type { Order } from './orders.ts'

export interface Receipt {
  readonly charge: number
  /** The answer comes from a record: nothing was charged by this request. */
  readonly replayed: boolean
}

export interface Payer {
  pay(order: Order): Promise<Receipt>
  /** Nobody will ask for this order again: its key need not be kept. */
  forget(order: Order): Promise<void>
}

export function payerAt({ charges, fetch }: Backend): Payer {
  // more and faster tries than an application needs: this network is worse, and nobody wants to wait
  const client = createIdempotentFetch({ fetch, retry: { backoff: { first: 80, max: 500 }, tries: 300 } })
  return {
    async pay({ id, amount }) {
      const response = await client.fetch(charges, {
        intent: intentOf(id),
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ order: id, amount }),
      })
      if (!response.ok) throw new Error(`Order ${id} was answered with ${response.status}.`)
      const { charge } = (await response.json()) as { charge: number }
      return { charge, replayed: response.headers.has('Idempotency-Replayed') }
    },

    forget: ({ id }) => client.done(intentOf(id)),
  }
}

function intentOf(order: string): string {
  return `pay ${order}`
}
