import type { Backend } from '../backends/backend.ts'
import type { Order } from './orders.ts'

/** Sends a payment by hand, as the client never would: under any key, with any amount. */
export async function sendByHand({ charges, fetch }: Backend, key: string, order: Order): Promise<Response> {
  for (;;) {
    const response = await fetch(charges, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"${key}"` },
      body: JSON.stringify({ order: order.id, amount: order.amount }),
    }).catch(() => undefined)
    if (response && response.status < 500 && response.status !== 409) return response
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300))
  }
}
