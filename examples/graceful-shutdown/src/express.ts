/** Express: a handler of SIGTERM closes the server, drains, and ends the pool. */
import type { AddressInfo } from 'node:net'
import { idempotent } from '@retryproof/express'
import express from 'express'
import { closeOnSigterm } from './close-on-sigterm.ts'
import { charge, idempotency } from './payments.ts'

const app = express()
app.use(express.json())
app.post(
  '/payments',
  idempotent(idempotency, { scope: () => 'ann' }, async (_req, res) => {
    res.status(201).json(await charge())
  }),
)

const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1', () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
closeOnSigterm(server)
