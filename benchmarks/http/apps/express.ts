import { createHash } from 'node:crypto'
import type { OutgoingHttpHeaders, Server } from 'node:http'
import { idempotent } from '@retryproof/express'
import express, { type RequestHandler } from 'express'
import type { App, Variant } from './app.ts'
import { answerTo } from './order.ts'

const handler: RequestHandler = (req, res) => {
  res.status(201).json(answerTo(req.body))
}

export const app: App = {
  listen(variant) {
    const server = express()
      .use(express.json())
      .post('/charges', ...guardsOf(variant), handler)
    return new Promise<Server>((resolve) => {
      const listening: Server = server.listen(0, '127.0.0.1', () => resolve(listening))
    })
  },
}

function guardsOf(variant: Variant): RequestHandler[] {
  switch (variant.kind) {
    case 'bare':
      return []
    case 'floor':
      return [byHand()]
    case 'guarded':
      return [idempotent(variant.idempotency, { scope: () => 'user_42' })]
  }
}

interface Stored {
  readonly fingerprint: string
  answer?: { readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: Buffer }
}

function byHand(): RequestHandler {
  const records = new Map<string, Stored>()
  return (req, res, next) => {
    const key = String(req.headers['idempotency-key'])
    const fingerprint = createHash('sha256').update(JSON.stringify(req.body)).digest('hex')
    const stored = records.get(key)
    if (stored?.answer && stored.fingerprint === fingerprint) {
      const { status, headers, body } = stored.answer
      return void res.status(status).set(headers).end(body)
    }
    if (stored) return void res.sendStatus(stored.answer ? 422 : 409)
    const record: Stored = { fingerprint }
    records.set(key, record)
    const { end } = res
    res.end = (...values: unknown[]) => {
      const body = Buffer.from(values[0] as string | Buffer)
      record.answer = { status: res.statusCode, headers: { ...res.getHeaders() }, body }
      void Promise.resolve().then(() => Reflect.apply(end, res, values))
      return res
    }
    next()
  }
}
