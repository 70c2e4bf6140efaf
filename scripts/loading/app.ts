// An application in strict mode: Express and PostgreSQL, with a write that commits with its key.
import { createIdempotency, isIdempotencyError } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { migrate, postgresStore } from '@retryproof/postgres'
import express from 'express'
import { Pool } from 'pg'

export async function createApp() {
  const pool = new Pool()
  await migrate({ pool })
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shop' })
  const app = express()
  app.use(express.json())
  app.post('/charges', idempotent(idempotency, { scope: (req) => req.get('X-User') }), (req, res) => {
    res.status(201).json({ charged: req.body.amount })
  })
  app.post(
    '/orders',
    idempotent(idempotency, { scope: (req) => req.get('X-User'), transaction: true }, async (req, res, { tx }) => {
      const { rows } = await tx.query<{ id: number }>('INSERT INTO orders (item) VALUES ($1) RETURNING id', [
        req.body.item,
      ])
      res.status(201).json({ order: rows[0]?.id })
    }),
  )
  const call = { operation: 'charge', scope: 'a', key: 'k' }
  const value = await idempotency
    .run(call, () => 1)
    .catch((error: unknown) => {
      if (isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS')) return error.retryAfterMs
      throw error
    })
  return { app, value }
}
