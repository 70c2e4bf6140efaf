/** Applications of every form: on CommonJS, with typed variables, mounted, and asked by `app.request()`. */
import { createRequire } from 'node:module'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { type IdempotencyVariables, idempotent } from '../src/index.ts'

const commonJs = createRequire(import.meta.url)('hono') as { Hono: typeof Hono }
const newIdempotency = () => createIdempotency({ store: memoryStore(), namespace: 'test' })
const init = { method: 'POST', headers: { 'Idempotency-Key': 'k1' } }

it('an application on CommonJS, which has another copy of Hono, knows its routes', async () => {
  expect(commonJs.Hono).not.toBe(Hono)
  const idempotency = newIdempotency()
  const operations: string[] = []
  idempotency.on('completed', ({ operation }) => operations.push(operation))
  const app = new commonJs.Hono()
  const inner = new commonJs.Hono()
  inner.post('/:id/refunds', idempotent(idempotency, { scope: unscoped }), (c) => c.text('refunded'))
  app.route('/orders', inner)
  const answers = [await app.request('/orders/7/refunds', init), await app.request('/orders/7/refunds', init)]
  expect(answers.map(({ status, headers }) => [status, headers.get('idempotency-replayed')])).toEqual([
    [200, null],
    [200, 'true'],
  ])
  expect(operations).toEqual(['POST /orders/:id/refunds'])
})

it('c.get("idempotency") is the attempt, typed behind the guard and in Variables', async () => {
  const idempotency = newIdempotency()
  const app = new Hono()
  app.post('/inferred', idempotent(idempotency, { scope: unscoped }), (c) => {
    const number: number | undefined = c.get('idempotency')?.number
    return c.json({ number, same: c.var.idempotency?.keyFor('charge') === c.get('idempotency')?.keyFor('charge') })
  })
  const typed = new Hono<{ Variables: IdempotencyVariables }>()
  typed.use(idempotent(idempotency, { scope: unscoped, operation: 'typed', required: false }))
  typed.post('/', (c) => c.json({ number: c.get('idempotency')?.number ?? null }))
  app.route('/typed', typed)
  expect(await (await app.request('/inferred', init)).json()).toEqual({ number: 1, same: true })
  expect(await (await app.request('/typed', init)).json()).toEqual({ number: 1 })
  expect(await (await app.request('/typed', { method: 'POST' })).json()).toEqual({ number: null })
})

it.each(['put', 'delete', 'get'] as const)('a guard in a route of %s guards that method', async (method) => {
  const app = new Hono()
  const guard = idempotent(newIdempotency(), { scope: unscoped })
  app[method]('/x', guard, (c) => c.text('ran'))
  app.use('/all/*', idempotent(newIdempotency(), { scope: unscoped, operation: 'all' }))
  app[method]('/all/x', (c) => c.text('ran'))
  const ask = (path: string) => app.request(path, { ...init, method: method.toUpperCase() })
  await ask('/x')
  expect((await ask('/x')).headers.get('idempotency-replayed')).toBe('true')
  await ask('/all/x')
  expect((await ask('/all/x')).headers.get('idempotency-replayed')).toBeNull()
})

it('an application that is mounted in another framework has an operation of its own', async () => {
  const idempotency = newIdempotency()
  const mounted = new Hono()
  mounted.post('/x', idempotent(idempotency, { scope: unscoped, operation: 'mounted' }), async (c) =>
    c.text(`${c.req.path} ${await c.req.text()}`),
  )
  const app = new Hono()
  app.mount('/api', mounted.fetch)
  const ask = async () => app.request('/api/x', { ...init, body: 'body' })
  expect(await (await ask()).text()).toBe('/x body')
  expect((await ask()).headers.get('idempotency-replayed')).toBe('true')
})
