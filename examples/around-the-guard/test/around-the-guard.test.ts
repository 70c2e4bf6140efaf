import { createHmac } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterEach, describe, expect, it } from 'vitest'
import { createBatch } from '../src/batch.ts'
import { createGraphql } from '../src/graphql.ts'
import { createOrdered } from '../src/order.ts'
import { github, shopify, standardWebhooks, stripe, type Verify } from '../src/signatures.ts'
import { createReceiver } from '../src/webhooks.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** Gives a function that posts to a server of its own. */
async function serving(listener: RequestListener) {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', ...headers },
    })
}

const idempotency = () => createIdempotency({ store: memoryStore(), namespace: 'shop' })

describe('GraphQL', () => {
  it('runs each field once, by its alias, and says what is missing', async () => {
    const charges: number[] = []
    const post = await serving(
      createGraphql(idempotency(), async (amount, providerKey) => {
        charges.push(amount)
        return `${amount} by ${providerKey.length}`
      }),
    )
    const query = 'mutation { one: charge(amount: 1) two: charge(amount: 2) }'
    const send = async (text: string, headers: Record<string, string>) =>
      (await post('/graphql', JSON.stringify({ query: text }), headers)).json()
    const ann = { 'X-User': 'ann', 'Idempotency-Key': 'k1' }
    const data = { one: '1 by 32', two: '2 by 32' }
    expect(await send(query, ann)).toEqual({ data })
    expect(await send(query, ann)).toEqual({ data })
    expect(charges).toEqual([1, 2])
    expect(await send(query.replace('amount: 2', 'amount: 3'), ann)).toMatchObject({
      data: { one: '1 by 32', two: null },
    })
    expect(await send(query, { ...ann, 'X-User': 'bob' })).toEqual({ data })
    expect(await send(query, { 'X-User': 'ann' })).toMatchObject({
      errors: [{ extensions: { code: 'IDEMPOTENCY_KEY_MISSING' } }, {}],
    })
    expect(await send(query, { 'Idempotency-Key': 'k1' })).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }, {}],
    })
    expect(charges).toEqual([1, 2, 1, 2])
  })
})

describe('a batch', () => {
  it('runs what has not been done, and tells of each item', async () => {
    let failures = 1
    const charges: number[] = []
    const post = await serving(
      createBatch(idempotency(), async (amount) => {
        if (amount === 2 && failures-- > 0) throw new Error('The provider is down.')
        charges.push(amount)
        return `charge of ${amount}`
      }),
    )
    const items = [1, 2, 3].map((amount) => ({ key: `k${amount}`, amount }))
    const send = async (sent: object) =>
      (await post('/charges/batch', JSON.stringify(sent), { 'X-User': 'ann' })).json() as Promise<{ status: number }[]>
    expect((await send(items)).map(({ status }) => status)).toEqual([201, 502, 201])
    expect(await send(items)).toMatchObject([{ replayed: true }, { status: 201, replayed: false }, { replayed: true }])
    expect((await send([{ key: 'k1', amount: 9 }])).map(({ status }) => status)).toEqual([422])
    expect(charges).toEqual([1, 3, 2])
    expect((await post('/charges/batch', '[]')).status).toBe(401)
  })
})

describe('webhooks that come in', () => {
  const sha256 = (secret: string | Buffer, text: string, encoding: 'hex' | 'base64') =>
    createHmac('sha256', secret).update(text).digest(encoding)
  const now = () => String(Math.floor(Date.now() / 1000))
  const raw = Buffer.from('the secret of a receiver')

  const senders: [string, Verify, (id: string, body: string) => Record<string, string>][] = [
    [
      'GitHub',
      github('s'),
      (id, body) => ({ 'X-Hub-Signature-256': `sha256=${sha256('s', body, 'hex')}`, 'X-GitHub-Delivery': id }),
    ],
    [
      'Shopify',
      shopify('s'),
      (id, body) => ({ 'X-Shopify-Hmac-Sha256': sha256('s', body, 'base64'), 'X-Shopify-Webhook-Id': id }),
    ],
    [
      'Stripe',
      stripe('s'),
      (_id, body) => ({ 'Stripe-Signature': `t=${now()},v1=${sha256('s', `${now()}.${body}`, 'hex')}` }),
    ],
    [
      'Standard Webhooks',
      standardWebhooks(`whsec_${raw.toString('base64')}`),
      (id, body) => ({
        'Webhook-Id': id,
        'Webhook-Timestamp': now(),
        'Webhook-Signature': `v1,old v1,${sha256(raw, `${id}.${now()}.${body}`, 'base64')}`,
      }),
    ],
  ]

  it.each(senders)('are taken once each, if their signature holds: %s', async (_name, verify, signed) => {
    const events: unknown[] = []
    const post = await serving(createReceiver(idempotency(), verify, async (event) => void events.push(event)))
    const first = JSON.stringify({ id: 'e1', total: 5 })
    const stamped = JSON.stringify({ id: 'e1', total: 5, attempt: 2 })
    const deliver = async (id: string, body: string) => (await post('/webhooks', body, signed(id, body))).status
    expect([await deliver('e1', first), await deliver('e1', first), await deliver('e1', stamped)]).toEqual([
      202, 202, 202,
    ])
    const other = JSON.stringify({ id: 'e2' })
    expect(await deliver('e2', other)).toBe(202)
    expect(events).toEqual([{ id: 'e1', total: 5 }, { id: 'e2' }])
    expect((await post('/webhooks', first.replace('5', '6'), signed('e3', first))).status).toBe(401)
    expect((await post('/webhooks', first)).status).toBe(401)
    expect(events).toHaveLength(2)
  })

  it('are refused with a stamp that is old', async () => {
    const post = await serving(createReceiver(idempotency(), stripe('s'), async () => {}))
    const signature = `t=1,v1=${sha256('s', '1.{"id":"e1"}', 'hex')}`
    expect((await post('/webhooks', '{"id":"e1"}', { 'Stripe-Signature': signature })).status).toBe(401)
  })
})

describe('what stands around the guard', () => {
  it('is done anew for each request before it, and once for each key behind it', async () => {
    let charges = 0
    const post = await serving(createOrdered(idempotency(), () => `c${++charges}`))
    const login = await post('/login', '{"user":"ann"}')
    const cookie = login.headers.getSetCookie()[0]?.split(';', 1)[0] ?? ''
    const charge = (key: string, body: string, session = cookie) =>
      post('/charges', body, { 'Idempotency-Key': key, Cookie: session })
    const [first, again] = [await charge('k1', '{"amount":5}'), await charge('k1', '{"amount":5}')]
    expect([first.status, await first.json(), again.status, await again.json()]).toEqual([
      201,
      { charge: 'c1' },
      201,
      { charge: 'c1' },
    ])
    expect(first.headers.get('x-request-id')).not.toBe(again.headers.get('x-request-id'))
    expect([first.headers.getSetCookie().length, again.headers.getSetCookie()]).toEqual([1, []])
    expect((await charge('k2', '{}')).status).toBe(400)
    expect((await charge('k2', '{}')).headers.get('idempotency-replayed')).toBe('true')
    expect((await charge('k1', '{"amount":5}', '')).status).toBe(401)
    expect((await charge('k1', '{"amount":5}', 'session=forged')).status).toBe(401)
    expect(charges).toBe(1)
  })
})
