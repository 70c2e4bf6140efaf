import { bodyParser } from '@koa/bodyparser'
import Router from '@koa/router'
import { idempotent } from '@retryproof/koa'
import Koa, { type Middleware } from 'koa'
import { type App, listening, type Variant } from './app.ts'
import { byHand } from './by-hand.ts'
import { answerTo } from './order.ts'
import { nodeIdempotency } from './peer.ts'

export const app: App = {
  listen(variant) {
    const router = new Router()
    router.post('/charges', guardOf(variant), (ctx) => {
      ctx.status = 201
      ctx.body = answerTo(ctx.request.body as never)
    })
    const server = new Koa().use(bodyParser()).use(router.routes())
    return listening(server.listen.bind(server))
  },
}

function guardOf(variant: Variant): Middleware {
  switch (variant.kind) {
    case 'bare':
      return (_ctx, next) => next()
    case 'floor':
      return floor()
    case 'peer':
      return peer()
    case 'ours':
      return idempotent(variant.idempotency, { scope: () => 'user_42' })
  }
}

function floor(): Middleware {
  const claim = byHand()
  return async (ctx, next) => {
    const { answer, settle } = claim(ctx.get('idempotency-key'), JSON.stringify(ctx.request.body))
    if (answer) {
      ctx.status = answer.status
      ctx.type = answer.type
      ctx.body = answer.body
      return
    }
    await next()
    const body = JSON.stringify(ctx.body)
    settle({ status: ctx.status, type: ctx.type, body })
    ctx.body = body
    ctx.type = 'application/json'
  }
}

function peer(): Middleware {
  const idempotency = nodeIdempotency()
  return async (ctx, next) => {
    const { method, path, headers } = ctx
    const asked = { method, path, headers, body: ctx.request.body as never }
    const known = await idempotency.onRequest(asked)
    if (known) {
      ctx.status = known.status
      ctx.body = known.body
      return
    }
    await next()
    await idempotency.onResponse(asked, { status: ctx.status, body: ctx.body })
  }
}
