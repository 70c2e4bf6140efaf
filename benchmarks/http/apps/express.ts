import { idempotent } from '@retryproof/express'
import express, { type RequestHandler } from 'express'
import { type App, listening, type Variant } from './app.ts'
import { byHand } from './by-hand.ts'
import { answerTo } from './order.ts'
import { nodeIdempotency } from './peer.ts'

const handler: RequestHandler = (req, res) => {
  res.status(201).json(answerTo(req.body))
}

export const app: App = {
  listen(variant) {
    const server = express()
      .use(express.json())
      .post('/charges', ...guardsOf(variant), handler)
    return listening(server.listen.bind(server))
  },
}

function guardsOf(variant: Variant): RequestHandler[] {
  switch (variant.kind) {
    case 'bare':
      return []
    case 'floor':
      return [floor()]
    case 'peer':
      return [peer()]
    case 'ours':
      return [idempotent(variant.idempotency, { scope: () => 'user_42' })]
  }
}

function floor(): RequestHandler {
  const claim = byHand()
  return (req, res, next) => {
    const { answer, settle } = claim(req.headers['idempotency-key'], JSON.stringify(req.body))
    if (answer) return void res.status(answer.status).set('Content-Type', answer.type).end(answer.body)
    const { end } = res
    res.end = (...values: unknown[]) => {
      const body = Buffer.from(values[0] as string | Buffer)
      settle({ status: res.statusCode, type: String(res.getHeader('content-type')), body })
      void Promise.resolve().then(() => Reflect.apply(end, res, values))
      return res
    }
    next()
  }
}

function peer(): RequestHandler {
  const idempotency = nodeIdempotency()
  return async (req, res, next) => {
    const { method, path, headers, body } = req
    const asked = { method, path, headers, body }
    const known = await idempotency.onRequest(asked)
    if (known) return void res.status(known.status).type('application/json').send(known.body)
    const { send } = res
    // as its own binding does: an object is sent again as text
    res.send = (value: unknown) => {
      if (typeof value !== 'string') return send.call(res, value)
      void idempotency.onResponse(asked, { status: res.statusCode, body: value }).then(() => send.call(res, value))
      return res
    }
    next()
  }
}
