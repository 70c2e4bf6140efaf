import { idempotent } from '@retryproof/fastify'
import Fastify, { type FastifyRequest, type RouteShorthandOptions } from 'fastify'
import type { App, Variant } from './app.ts'
import { byHand, type Claim } from './by-hand.ts'
import { answerTo } from './order.ts'
import { nodeIdempotency } from './peer.ts'

export const app: App = {
  async listen(variant) {
    const server = Fastify()
    server.post('/charges', optionsOf(variant), async (request, reply) => {
      reply.code(201)
      return answerTo(request.body as never)
    })
    await server.listen({ port: 0, host: '127.0.0.1' })
    return server.server
  },
}

function optionsOf(variant: Variant): RouteShorthandOptions {
  switch (variant.kind) {
    case 'bare':
      return {}
    case 'floor':
      return floor()
    case 'peer':
      return peer()
    case 'ours':
      return idempotent(variant.idempotency, { scope: () => 'user_42' })
  }
}

function floor(): RouteShorthandOptions {
  const claim = byHand()
  const claims = new WeakMap<FastifyRequest, Claim>()
  return {
    preHandler(request, reply, done) {
      const claimed = claim(request.headers['idempotency-key'], JSON.stringify(request.body))
      const { answer } = claimed
      if (answer) return void reply.code(answer.status).type(answer.type).send(answer.body)
      claims.set(request, claimed)
      done()
    },
    onSend(request, reply, payload, done) {
      const type = String(reply.getHeader('content-type'))
      claims.get(request)?.settle({ status: reply.statusCode, type, body: String(payload) })
      done(null, payload)
    },
  }
}

function peer(): RouteShorthandOptions {
  const idempotency = nodeIdempotency()
  const replayed = new WeakSet<FastifyRequest>()
  const asked = ({ method, url, headers, body }: FastifyRequest) => ({
    method,
    path: url,
    headers,
    body: body as never,
  })
  return {
    async preHandler(request, reply) {
      const known = await idempotency.onRequest(asked(request))
      if (!known) return
      replayed.add(request)
      return reply.code(known.status).type('application/json').send(known.body)
    },
    async onSend(request, reply, payload) {
      if (!replayed.has(request)) {
        await idempotency.onResponse(asked(request), { status: reply.statusCode, body: payload })
      }
      return payload
    },
  }
}
