/** An order in four steps. Two are rows of our database, two are calls of others; each has its effect once. */
import {
  type Attempt,
  createIdempotency,
  type Drained,
  type Outcome,
  type Recovery,
  type Steps,
} from '@retryproof/core'
import { postgresStore } from '@retryproof/postgres'
import type { Pool, PoolClient } from 'pg'

export interface Order {
  readonly item: string
  readonly amount: number
}

/** Services elsewhere: each honours the key that it is given. */
export interface Elsewhere {
  charge(amount: number, key: string): Promise<string>
  mail(text: string, key: string): Promise<void>
}

export interface Orders {
  place(user: string, key: string, order: Order): Promise<Outcome<Placed>>
  /** Finishes what crashed, without its client. Run it now and then in one process of the fleet, or in several. */
  recover(): Promise<Recovery>
  /** For shutdown: what is unfinished after `timeoutMs` is left to its lease. */
  drain(timeoutMs: number): Promise<Drained>
}

export interface Placed {
  readonly stock: number
  readonly charge: string
  readonly invoice: number
}

export function createOrders(pool: Pool, elsewhere: Elsewhere, lease = 5_000): Orders {
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shop' })
  const operation = idempotency.operation('order', { lease, maxAttempts: 10, storeRequest: 'plaintext' })

  async function take({ item, amount }: Order, attempt: Attempt & Steps<PoolClient>): Promise<Placed> {
    const stock = await attempt.transaction('reserve', async (tx) => {
      const { rows } = await tx.query(
        'UPDATE stock SET left_over = left_over - 1 WHERE item = $1 RETURNING left_over',
        [item],
      )
      return Number(rows[0].left_over)
    })
    const charge = await attempt.step('charge', () => elsewhere.charge(amount, attempt.keyFor('charge')))
    const invoice = await attempt.transaction('invoice', async (tx) => {
      const { rows } = await tx.query('INSERT INTO invoices (charge) VALUES ($1) RETURNING id', [charge])
      return Number(rows[0].id)
    })
    await attempt.step('mail', () => elsewhere.mail(`Invoice ${invoice}`, attempt.keyFor('mail')).then(() => null))
    return { stock, charge, invoice }
  }

  return {
    drain: (timeoutMs) => idempotency.drain({ timeout: timeoutMs }),
    place: (user, key, order) => operation.run({ scope: user, key, payload: order }, (attempt) => take(order, attempt)),
    recover: () =>
      operation.recover({
        authorize: () => true, // ask whether the user may still order
        handler: (call, attempt) => take(call.payload as Order, attempt),
      }),
  }
}
