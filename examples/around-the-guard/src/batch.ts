/** A batch: each item has a key of its own, so that a batch that is sent again runs only what has not been done. */
import { type Idempotency, isIdempotencyError } from '@retryproof/core'
import express, { type Express } from 'express'

interface Item {
  readonly key: string
  readonly amount: number
}

export function createBatch(idempotency: Idempotency, charge: (amount: number) => Promise<string>): Express {
  async function chargeItem(user: string, { key, amount }: Item) {
    try {
      const call = { operation: 'batch.charge', scope: user, key, payload: { amount } }
      const { value, replayed } = await idempotency.run(call, () => charge(amount))
      return { key, status: 201, charge: value, replayed }
    } catch (error) {
      if (isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS')) return { key, status: 409 }
      if (isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED')) return { key, status: 422 }
      return { key, status: 502 }
    }
  }

  return express().post('/charges/batch', express.json(), async (req, res) => {
    const user = req.get('x-user')
    if (!user) return void res.sendStatus(401)
    const items = req.body as readonly Item[]
    // the route itself has no guard: its answer is made of items, each of which is certain
    res.status(207).json(await Promise.all(items.map((item) => chargeItem(user, item))))
  })
}
