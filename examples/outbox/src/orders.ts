/** An order is a row of our database and a message to others: both come about, or neither does. */
import { type Attempt, createIdempotency, type Outcome, type Recovery, type Steps } from '@retryproof/core'
import { postgresStore } from '@retryproof/postgres'
import type { Pool, PoolClient } from 'pg'

export interface Order {
  readonly item: string
}

export interface Placed {
  readonly order: number
  /** The id of the message, for consumers that drop duplicates. */
  readonly message: string
}

/** Resolves once the broker keeps the message, with its id. */
export type Publish = (id: string, body: unknown) => Promise<string>

export interface Orders {
  place(customer: string, key: string, order: Order): Promise<Outcome<Placed>>
  /** Publishes what a killed process left behind. Run it now and then, in one process of the fleet or in several. */
  recover(): Promise<Recovery>
  drain(): Promise<unknown>
}

export interface OrdersOptions {
  readonly pool: Pool
  readonly publish: Publish
  readonly lease?: number
  readonly maxAttempts?: number
}

export function createOrders({ pool, publish, lease = 10_000, maxAttempts = 10 }: OrdersOptions): Orders {
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shop' })
  const operation = idempotency.operation('order', { lease, maxAttempts, storeRequest: 'plaintext' })

  async function take({ item }: Order, attempt: Attempt & Steps<PoolClient>): Promise<Placed> {
    const order = await attempt.transaction('insert', async (tx) => {
      const { rows } = await tx.query('INSERT INTO orders (item) VALUES ($1) RETURNING id', [item])
      return Number(rows[0].id)
    })
    const message = await attempt.step('publish', () => publish(attempt.keyFor('publish'), { order, item }))
    return { order, message }
  }

  return {
    place: (customer, key, order) =>
      operation.run({ scope: customer, key, payload: order }, (attempt) => take(order, attempt)),
    recover: () =>
      operation.recover({
        authorize: () => true, // ask whether the customer may still order
        handler: (call, attempt) => take(call.payload as Order, attempt),
      }),
    drain: () => idempotency.drain(),
  }
}
