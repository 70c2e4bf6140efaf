/** Receives webhooks: each event is taken once, whatever its sender repeats, and is answered before its work is done. */
import { type Idempotency, unscoped } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express, { type Express, type Request, type RequestHandler } from 'express'
import type { Verify } from './signatures.ts'

/** @param enqueue writes an event where a worker finds it: a table, or a queue */
export function createReceiver(
  idempotency: Idempotency,
  verify: Verify,
  enqueue: (event: unknown) => Promise<void>,
): Express {
  const events = new WeakMap<Request, string>()
  const requireSignature: RequestHandler = (req, res, next) => {
    const id = verify((name) => req.get(name), req.body as Buffer)
    if (id === undefined) return void res.sendStatus(401)
    events.set(req, id)
    next()
  }
  // the sender tells by the id that an event is the same; a repetition has another stamp, and may have another body
  const once = idempotent(idempotency, { scope: unscoped, key: (req) => events.get(req), fingerprint: () => null })

  return express().post('/webhooks', express.raw({ type: '*/*' }), requireSignature, once, async (req, res) => {
    await enqueue(JSON.parse((req.body as Buffer).toString()))
    // most senders give up after some seconds: the work comes afterwards
    res.sendStatus(202)
  })
}
