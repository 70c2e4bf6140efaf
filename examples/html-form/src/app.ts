/** A form that may be sent twice, by a double click or by going back: it makes one transfer. No JavaScript in the page. */
import { createIdempotency, IdempotencyInvalidTokenError, IdempotencyKeyReusedError } from '@retryproof/core'
import { sqliteStore } from '@retryproof/sqlite'
import type { Database } from 'better-sqlite3'
import express, { type ErrorRequestHandler, type Express, type Request } from 'express'
import { createTransfers, formPage, transferPage } from './transfers.ts'

const userOf = (req: Request) => req.get('x-user') ?? ''

export function createApp(database: Database, secret: string): Express {
  // the secret signs tokens: the same in every process that serves this form
  const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'bank', secret })
  // the second click waits for the first one's answer
  const transfer = idempotency.operation('transfer', { onInProgress: { wait: '10s' } })
  const transfers = createTransfers(database)

  const app = express()
  // a stand-in for your own session
  app.use((req, res, next) => (userOf(req) ? next() : void res.status(401).end()))

  app.get('/transfers/new', async (req, res) => {
    res.set('Cache-Control', 'no-store')
    res.send(formPage(await transfer.issueToken({ scope: userOf(req), expiresIn: '1h' })))
  })

  app.post('/transfers', express.urlencoded(), async (req, res) => {
    const { token, ...fields } = req.body as { token: string; to: string; amount: string }
    const { value } = await transfer.redeem(token, { scope: userOf(req), payload: fields }, () =>
      transfers.make(userOf(req), fields),
    )
    res.redirect(303, `/transfers/${value.id}`)
  })

  app.get('/transfers/:id', (req, res) => {
    const made = transfers.find(Number(req.params.id), userOf(req))
    if (made) res.send(transferPage(made))
    else res.status(404).end()
  })

  const answerMisuse: ErrorRequestHandler = (error, _req, res, next) => {
    if (error instanceof IdempotencyInvalidTokenError) res.status(403).send('This form is too old. Open it again.')
    else if (error instanceof IdempotencyKeyReusedError)
      res.status(422).send('This form was sent before, with other values.')
    else next(error)
  }
  return app.use(answerMisuse)
}
