/** Orders, each of which is placed once for its Idempotency-Key, however often it is sent. */
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { postgresStore } from '@retryproof/postgres'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable, serial, text } from 'drizzle-orm/pg-core'
import express, { type Express } from 'express'
import type { Pool } from 'pg'

export const orders = pgTable('orders', {
  id: serial().primaryKey(),
  item: text().notNull(),
  amount: integer().notNull(),
})

export const createTables = sql`CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, item text NOT NULL, amount int NOT NULL)`

export function createApp(pool: Pool): Express {
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shop' })
  const app = express()
  app.use(express.json())
  // a stand-in for your own authentication: whose key it is has to be known before the key means anything
  app.use((req, res, next) => (req.get('x-user') ? next() : void res.status(401).end()))

  app.post(
    '/orders',
    idempotent(idempotency, { scope: (req) => req.get('x-user'), transaction: true }, async (req, res, { tx }) => {
      const { item, amount } = req.body as { item: string; amount: number }
      const [order] = await drizzle(tx).insert(orders).values({ item, amount }).returning()
      // 4xx and 5xx roll the order back; this answer, the order and the key are committed together
      if (amount > 1000) res.status(422).json({ error: 'too much for one order' })
      else res.status(201).location(`/orders/${order?.id}`).json(order)
    }),
  )
  return app
}
