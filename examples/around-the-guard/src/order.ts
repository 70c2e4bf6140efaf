/** The order of middleware around the guard, and a login beside it. */
import { randomUUID } from 'node:crypto'
import type { Idempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express, { type Express, type RequestHandler } from 'express'

export function createOrdered(idempotency: Idempotency, charge: (amount: number) => string): Express {
  const sessions = new Map<string, string>()
  const sessionOf = (cookie = '') => sessions.get(/(?:^|; )session=([^;]+)/.exec(cookie)?.[1] ?? '')

  const requestId: RequestHandler = (_req, res, next) => {
    res.set('X-Request-Id', randomUUID())
    next()
  }
  const authenticate: RequestHandler = (req, res, next) => {
    if (sessionOf(req.get('cookie')) === undefined) return void res.sendStatus(401)
    next()
  }
  const validate: RequestHandler = (req, res, next) => {
    const { amount } = req.body as { readonly amount?: unknown }
    if (typeof amount !== 'number') return void res.status(400).json({ error: 'amount is missing' })
    next()
  }

  const app = express()
  // before the guard, anew for each request: ids, logs, CORS, limits of rate, compression, who it is and what they may do
  app.use(requestId)

  // a login has no guard: its effect is a cookie, which no replay gives to anybody
  app.post('/login', express.json(), (req, res) => {
    const session = randomUUID()
    sessions.set(session, (req.body as { readonly user: string }).user)
    res.cookie('session', session, { httpOnly: true, sameSite: 'strict' }).sendStatus(204)
  })

  // an absent session is nobody: `undefined` is refused as a scope, and shared by none
  const guard = idempotent(idempotency, { scope: (req) => sessionOf(req.get('cookie')) })
  // behind the guard, once for each key: the parser, the checks of the body, the handler
  app.post('/charges', authenticate, guard, express.json(), validate, (req, res) => {
    res.cookie('last', 'charge')
    res.status(201).json({ charge: charge((req.body as { readonly amount: number }).amount) })
  })
  return app
}
