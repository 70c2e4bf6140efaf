/** A server as applications have it: a pool, two guarded routes, and Express's own error handler. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createIdempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express from 'express'

/** One database through a pool of the server's own. */
export interface Backend<Tx> {
  readonly store: IdempotencyStore<Tx>
  insertOrder(tx: Tx, key: string): Promise<unknown>
  end(): Promise<unknown>
}

export interface Shop {
  readonly address: string
  close(): Promise<void>
}

/** @param charged is called by each run of a charge: an effect outside of the database */
export async function openShop<Tx>(backend: Backend<Tx>, charged: (key: string) => number): Promise<Shop> {
  const idempotency = createIdempotency({ store: backend.store, namespace: 'shop', storeTimeout: '2s' })
  const keyOf = (req: express.Request) => String(req.get('Idempotency-Key'))
  const app = express()
  app.post('/charges', idempotent(idempotency, { scope: unscoped }), async (req, res) => {
    const run = charged(keyOf(req))
    await new Promise((resolve) => setTimeout(resolve, 20))
    res.status(201).json({ run })
  })
  app.post(
    '/orders',
    idempotent(idempotency, { scope: unscoped, transaction: true }, async (req, res, { tx }) => {
      await backend.insertOrder(tx, keyOf(req))
      res.status(201).json({ ordered: keyOf(req) })
    }),
  )
  // an error that no guard answered is a bare 500; the log of Express is none of ours
  app.use((_error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    res.sendStatus(500)
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      await idempotency.drain({ timeout: '5s' })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await backend.end()
    },
  }
}
