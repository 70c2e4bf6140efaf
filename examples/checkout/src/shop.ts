/** The shop: an ordinary Express app whose payments are guarded, in one SQLite file with what was charged. */
import { createIdempotency } from '@retryproof/core'
import { idempotent, serveStatus } from '@retryproof/express'
import { statusResource } from '@retryproof/http/status'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import cors from 'cors'
import express, { type Express, type Request, type Response } from 'express'

export interface Charge {
  readonly charge: number
  readonly order: string
}

export interface Shop {
  readonly app: Express
  /** The charges of the customer, which are the truth that the page is compared with. */
  charges(): Charge[]
  close(): void
}

/** The time that the bank takes, so that a second click comes in the middle. */
const BANK_MS = 30
/** Every tenth order is declined by the bank. */
export const isDeclined = (order: number) => order % 10 === 0

export async function openShop(file: string): Promise<Shop> {
  const database = new Database(file)
  database.exec('CREATE TABLE IF NOT EXISTS charges (charge INTEGER PRIMARY KEY, "order" TEXT, amount INTEGER)')
  await migrate({ database })
  const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'checkout' })
  const charge = database.prepare('INSERT INTO charges ("order", amount) VALUES (?, ?)')
  const all = database.prepare<[], Charge>('SELECT charge, "order" FROM charges')

  const scope = () => 'ann'
  const status = statusResource(idempotency, { path: '/operations', scope, secret: 'sixteen random bytes' })

  async function pay({ body: { order, amount } }: Request, response: Response): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, BANK_MS))
    if (isDeclined(Number(order))) {
      response.status(402).json({ title: 'The card was declined.' })
      return
    }
    const { lastInsertRowid } = charge.run(String(order), Number(amount))
    response.status(201).json({ charge: Number(lastInsertRowid) })
  }

  const app = express()
  // as everybody writes it: no header of ours is exposed to a page of another origin
  app.use(cors(), express.json())
  app.post('/payments', idempotent(idempotency, { scope }), pay)
  // the same, answered with 202 before it is done
  app.post(
    '/orders',
    idempotent(idempotency, { scope, respond: 'async', storeRequest: 'no', statusResource: status }),
    pay,
  )
  app.get('/operations/:id', serveStatus(status))

  return { app, charges: () => all.all(), close: () => database.close() }
}
