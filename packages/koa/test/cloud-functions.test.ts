/** Cloud functions: adapters make a request of Node of an event, with no connection and not every field. */
import { configure } from '@codegenie/serverless-express'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import Koa from 'koa'
import serverlessHttp from 'serverless-http'
import { describe, expect, test } from 'vitest'
import { idempotent } from '../src/index.ts'

interface FunctionAnswer {
  readonly statusCode: number
  readonly body: string
}

type CloudFunction = (event: object, context: object) => Promise<FunctionAnswer>

const adapters: Record<string, (app: ReturnType<typeof application>) => CloudFunction> = {
  'serverless-http': (app) => serverlessHttp(app) as CloudFunction,
  'serverless-express': (app) => configure({ app: app.callback() }) as unknown as CloudFunction,
}

function application(count: () => number) {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const app = new Koa()
  app.use(idempotent(idempotency, { scope: () => 'a', operation: 'charge' }))
  app.use(async (ctx) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of ctx.req) chunks.push(chunk as Uint8Array)
    const { amount } = JSON.parse(Buffer.concat(chunks).toString()) as { amount: number }
    ctx.status = 201
    ctx.body = { run: count(), amount }
  })
  return app
}

/** An event of API Gateway. */
function event(body: string, headers: Record<string, string>): object {
  const all = { 'content-type': 'application/json', ...headers }
  return {
    httpMethod: 'POST',
    path: '/charges',
    resource: '/charges',
    headers: all,
    multiValueHeaders: Object.fromEntries(Object.entries(all).map(([field, value]) => [field, [value]])),
    body,
    isBase64Encoded: false,
    requestContext: { identity: { sourceIp: '192.0.2.1' } },
  }
}

describe.each(Object.entries(adapters))('behind %s', (_name, adapt) => {
  test('a request is answered once, and another body under its key is refused', async () => {
    let runs = 0
    const call = adapt(application(() => ++runs))
    const key = { 'Idempotency-Key': '"k1"' }
    const answers: FunctionAnswer[] = []
    for (const [body, headers] of [
      ['{"amount":1}', key],
      ['{"amount":1}', key],
      ['{"amount":2}', key],
      ['{"amount":1}', {}],
    ] as const) {
      answers.push(await call(event(body, headers), {}))
    }
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 201, 422, 400])
    expect(answers.slice(0, 2).map(({ body }) => JSON.parse(body))).toEqual([
      { run: 1, amount: 1 },
      { run: 1, amount: 1 },
    ])
    expect(runs).toBe(1)
  })
})
