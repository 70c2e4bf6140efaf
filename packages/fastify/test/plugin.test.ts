/** The plugin, as applications register it. */
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { idempotencyPlugin } from '../src/index.ts'

const idempotency = () => createIdempotency({ store: memoryStore(), namespace: 'test' })
const scope = (request: { headers: Record<string, unknown> }) => request.headers['x-user'] as string | undefined
const guarded = { config: { idempotent: true } }

function appOf(): { app: FastifyInstance; post(url: string, headers?: Record<string, string>): Promise<unknown[]> } {
  const app = Fastify()
  return {
    app,
    async post(url, headers = {}) {
      const {
        statusCode,
        headers: given,
        body,
      } = await app.inject({
        method: 'POST',
        url,
        headers: { 'x-user': 'ann', 'idempotency-key': 'k', ...headers },
      })
      return [statusCode, body, given['idempotency-replayed']]
    },
  }
}

describe('the plugin', () => {
  it('guards the routes that ask for it, and hands each request its attempt', async () => {
    const { app, post } = appOf()
    let runs = 0
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    app.post('/guarded', guarded, async (request) => [++runs, request.idempotency?.number])
    app.post('/plain', async (request) => [++runs, request.idempotency ?? null])
    expect(await post('/guarded')).toEqual([200, '[1,1]', undefined])
    expect(await post('/guarded')).toEqual([200, '[1,1]', 'true'])
    expect(await post('/plain')).toEqual([200, '[2,null]', undefined])
    expect(await post('/plain')).toEqual([200, '[3,null]', undefined])
  })

  it('guards routes of plugins that are registered later', async () => {
    const { app, post } = appOf()
    let runs = 0
    app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    app.register((router, _options, done) => {
      router.post('/guarded', guarded, async () => ++runs)
      done()
    })
    expect(await post('/guarded')).toEqual([200, '1', undefined])
    expect(await post('/guarded')).toEqual([200, '1', 'true'])
  })

  it('lets the hooks of a route run first, so that a user who is refused gets no replay', async () => {
    const { app, post } = appOf()
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    let isRevoked = false
    app.post(
      '/guarded',
      { ...guarded, preHandler: async (_request, reply) => (isRevoked ? reply.code(403).send() : undefined) },
      async () => 'charged',
    )
    expect(await post('/guarded')).toEqual([200, 'charged', undefined])
    isRevoked = true
    expect(await post('/guarded')).toEqual([403, '', undefined])
  })

  it('records what an onSend hook of the route made of the answer, and replays it as it is', async () => {
    const { app, post } = appOf()
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    let sent = 0
    app.post('/guarded', { ...guarded, onSend: async () => `sent ${++sent}` }, async () => 'charged')
    expect(await post('/guarded')).toEqual([200, 'sent 1', undefined])
    expect(await post('/guarded')).toEqual([200, 'sent 1', 'true'])
  })

  it.each(['both', 'slash', 'no-slash'] as const)('guards the index of a prefix: %s', async (prefixTrailingSlash) => {
    const { app, post } = appOf()
    let runs = 0
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    await app.register(
      (router, _options, done) => {
        router.post('/', { ...guarded, prefixTrailingSlash }, async (request) => [++runs, request.url])
        done()
      },
      { prefix: '/charges' },
    )
    const urls = ['/charges', '/charges/'].filter((url) => app.hasRoute({ method: 'POST', url }))
    expect(urls).toHaveLength(prefixTrailingSlash === 'both' ? 2 : 1)
    for (const [at, url] of urls.entries()) {
      const body = JSON.stringify([at + 1, url])
      const key = { 'idempotency-key': `k${at}` }
      expect(await post(url, key)).toEqual([200, body, undefined])
      expect(await post(url, key)).toEqual([200, body, 'true'])
    }
  })

  it('takes options of a route before its own', async () => {
    const { app, post } = appOf()
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    let runs = 0
    app.post('/guarded', { config: { idempotent: { required: false } } }, async () => ++runs)
    expect(await post('/guarded', { 'idempotency-key': '' })).toMatchObject([400, expect.anything(), undefined])
    const { body } = await app.inject({ method: 'POST', url: '/guarded', headers: { 'x-user': 'ann' } })
    expect(body).toBe('1')
  })

  it('guards a GET that asks for it, and leaves the HEAD beside it alone', async () => {
    const { app } = appOf()
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    let runs = 0
    app.get('/guarded', guarded, async () => ++runs)
    const headers = { 'x-user': 'ann', 'idempotency-key': 'k' }
    for (let times = 0; times < 2; times++) {
      expect((await app.inject({ method: 'GET', url: '/guarded', headers })).body).toBe('1')
    }
    expect((await app.inject({ method: 'HEAD', url: '/guarded' })).statusCode).toBe(200)
  })

  it.each([true, {}])('takes the options of the nearest registration, with config %o', async (idempotent) => {
    const { app, post } = appOf()
    let runs = 0
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope: () => 'all' })
    app.register((child, _options, done) => {
      child.register(idempotencyPlugin, { idempotency: idempotency(), scope })
      child.register((routes, _nested, end) => {
        routes.post('/guarded', { config: { idempotent } }, async () => ++runs)
        end()
      })
      done()
    })
    expect(await post('/guarded')).toEqual([200, '1', undefined])
    expect(await post('/guarded', { 'x-user': 'bob' })).toEqual([200, '2', undefined])
    expect(await post('/guarded')).toEqual([200, '1', 'true'])
  })

  it('refuses a route of which a method would be left unguarded', async () => {
    const { app, post } = appOf()
    await app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    const route = { method: ['PUT', 'POST'], handler: async () => 'charged' }
    expect(() => app.route({ ...route, url: '/x', ...guarded })).toThrow('methods: must name PUT of /x')
    app.route({ ...route, url: '/guarded', config: { idempotent: { methods: ['put'] } } })
    expect(await post('/guarded')).toEqual([200, 'charged', undefined])
  })

  it('runs no handler of a route that was declared before it was loaded', async () => {
    const { app, post } = appOf()
    let runs = 0
    app.register(idempotencyPlugin, { idempotency: idempotency(), scope })
    app.post('/guarded', guarded, async () => ++runs)
    const [status, body] = await post('/guarded')
    expect([status, runs]).toEqual([500, 0])
    expect(body).toContain('POST /guarded was declared before the plugin was loaded')
  })

  it('refuses wrong options when it is registered', async () => {
    const app = Fastify()
    const options = { idempotency: idempotency(), scope, ttl: '1 day' }
    await expect(app.register(idempotencyPlugin, options as never)).rejects.toThrow('ttl')
    const transaction = { idempotency: idempotency(), scope, transaction: true }
    await expect(Fastify().register(idempotencyPlugin, transaction as never)).rejects.toThrow('transaction')
  })
})
