/**
 * The server under test: one handler, with and without idempotency before it. It is killed and started again by the demo.
 */
import { createIdempotency } from '@retryproof/core'
import { attemptOf, idempotent } from '@retryproof/express'
import express, { type Request, type Response } from 'express'
import { startMeter } from '../board/meter.ts'
import { chargeOperation, type DeathPoint, DIE_AT, LEASE, NAMESPACE, type StoreName } from '../naming.ts'
import { announce, required, tellParent } from './process.ts'
import { openStore } from './stores.ts'

const provider = required('PROVIDER_URL')
/** The owner of all keys; a real application takes it from its authentication. */
const customer = required('CUSTOMER')
const { store } = await openStore[required('STORE') as StoreName](required('STORE_PLACE'))
const meter = startMeter((figures) => tellParent({ figures }))
const idempotency = createIdempotency({ store: meter.wrap(store), namespace: NAMESPACE, lease: LEASE })
meter.watch(idempotency)

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
async function dieHere(request: Request, place: DeathPoint): Promise<void> {
  if (request.get(DIE_AT) !== place) return
  await meter.flush()
  tellParent({ reached: place })
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}

const app = express().use(express.json())
app.post('/charges', idempotent(idempotency, { scope: () => customer, operation: chargeOperation }), charge)
app.post('/unguarded/charges', charge)
const server = app.listen(0, '127.0.0.1', () => announce(server))
