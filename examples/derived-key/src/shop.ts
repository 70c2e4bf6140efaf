/** Takes a payment at a provider that remembers the keys it is given: `attempt.keyFor` is the same in every attempt. */
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import express from 'express'

const { RECORDS = 'records.db', PROVIDER = '', PORT = '3000' } = process.env

const database = new Database(RECORDS)
await migrate({ database })
const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'shop', lease: '1s' })

const app = express()
app.use(express.json())
app.post(
  '/payments',
  idempotent(
    idempotency,
    // a stand-in for your own authentication
    { scope: (req) => req.get('x-user'), onInProgress: { wait: '5s' } },
    async (req, res, { attempt }) => {
      if (!attempt) throw new Error('the payment is not protected')
      const answer = await fetch(`${PROVIDER}/charges`, {
        method: 'POST',
        // the provider's own key: a second attempt asks for the same charge again, and gets it
        headers: { 'content-type': 'application/json', 'idempotency-key': attempt.keyFor('charge') },
        body: JSON.stringify({ amount: req.body.amount }),
      })
      if (!answer.ok) throw new Error(`the provider answered ${answer.status}`)
      const { id } = (await answer.json()) as { id: string }
      res.status(201).json({ charge: id, attempt: attempt.number })
    },
  ),
)
const server = app.listen(Number(PORT), '127.0.0.1', () => {
  const address = server.address()
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : PORT }))
})
