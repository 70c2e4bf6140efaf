/** A server as applications have it: connections of its own, guarded routes, and an error handler. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createIdempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express from 'express'

/** One database, through connections of the shop's own. */
export interface Backend<Tx> {
  readonly store: IdempotencyStore<Tx>
  /** Writes a row in the transaction of its key, where the database has transactions. */
  insertOrder?(tx: Tx, key: string): Promise<unknown>
  end(): Promise<unknown>
}

export interface Shop {
  readonly address: string
  readonly takesOrders: boolean
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
  const { insertOrder } = backend
  if (insertOrder) {
    const guard = idempotent(idempotency, { scope: unscoped, transaction: true }, async (req, res, { tx }) => {
      await insertOrder(tx, keyOf(req))
      res.status(201).json({ ordered: keyOf(req) })
    })
    app.post('/orders', guard)
  }
  // an error that no guard answered is a bare 500; the log of Express is none of ours
  app.use((_error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    res.sendStatus(500)
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    takesOrders: insertOrder !== undefined,
    async close() {
      await idempotency.drain({ timeout: '5s' })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await backend.end()
    },
  }
}
