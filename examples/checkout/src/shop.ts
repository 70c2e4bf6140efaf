/** The shop: an ordinary Express app whose payments are guarded, in one SQLite file with what was charged. */
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import express, { type Express } from 'express'

export interface Charge {
  readonly charge: number
  readonly order: string
}

export interface Shop {
  readonly app: Express
  /** What the customer was charged, which is the truth that the page is compared with. */
  charges(): Charge[]
  close(): void
}

/** How long the bank takes, so that a second click comes in the middle. */
const BANK_MS = 30

export async function openShop(file: string): Promise<Shop> {
  const database = new Database(file)
  database.exec('CREATE TABLE IF NOT EXISTS charges (charge INTEGER PRIMARY KEY, "order" TEXT, amount INTEGER)')
  await migrate({ database })
  const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'checkout' })
  const charge = database.prepare('INSERT INTO charges ("order", amount) VALUES (?, ?)')
  const all = database.prepare<[], Charge>('SELECT charge, "order" FROM charges')

  const app = express()
  app.use(express.json())
  app.post('/payments', idempotent(idempotency, { scope: () => 'ann' }), async (request, response) => {
    await new Promise((resolve) => setTimeout(resolve, BANK_MS))
    const { order, amount } = request.body
    const { lastInsertRowid } = charge.run(String(order), Number(amount))
    response.status(201).json({ charge: Number(lastInsertRowid) })
  })

  return { app, charges: () => all.all(), close: () => database.close() }
}
