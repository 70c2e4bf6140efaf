/** The server under test: POST /charges, with or without idempotency. It is killed and started again by the demo. */
import { createIdempotency } from '@retryproof/core'
import { attemptOf, idempotent } from '@retryproof/express'
import { sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import express, { type Request, type RequestHandler, type Response } from 'express'
import { chargeOperation, customer, LEASE, NAMESPACE } from './naming.ts'
import { announce, required, tellParent } from './process.ts'

const provider = required('PROVIDER_URL')
const on = required('IDEMPOTENCY') === 'on'

async function charge(request: Request, response: Response): Promise<void> {
  const { order, amount } = request.body
  await dieHere(request, 'before-provider')
  // without idempotency there is no attempt, and no key that the provider could know a repetition by
  const key = attemptOf(request)?.keyFor('charge')
  const answer = await fetch(`${provider}/charges`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key && { 'Idempotency-Key': key }) },
    body: JSON.stringify({ reference: order, amount }),
  })
  const { id } = (await answer.json()) as { id: number }
  await dieHere(request, 'after-provider')
  response.status(201).location(`/charges/${id}`).json({ charge: id, order, amount })
}

/** Tells the demo that this is the place, and goes on only if nobody kills the process. */
async function dieHere(request: Request, place: string): Promise<void> {
  if (request.get('Demo-Die-At') !== place) return
  tellParent(place)
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}

function middleware(): RequestHandler[] {
  if (!on) return []
  const idempotency = createIdempotency({
    store: sqliteStore({ database: new Database(required('STORE_FILE')) }),
    namespace: NAMESPACE,
    lease: LEASE,
  })
  return [idempotent(idempotency, { scope: () => customer, operation: chargeOperation })]
}

const app = express().use(express.json())
app.post('/charges', ...middleware(), charge)
const server = app.listen(0, '127.0.0.1', () => announce(server))
