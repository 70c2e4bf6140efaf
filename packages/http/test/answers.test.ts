/** The shape of what a guard answers itself, and the answers that it records. */
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { createGuard, type HttpOptions, type HttpResponse } from '../src/index.ts'
import { preconditionFailed } from '../src/precondition.ts'
import { statusResource } from '../src/status.ts'
import { type Asked, read, setUp, text } from './set-up.ts'

const jsonOf = (body: string) => JSON.parse(body) as Record<string, unknown>

describe('problem', () => {
  it('gives problems the shape of the application', async () => {
    const { ask } = setUp({
      problem: ({ code, detail, retryAfter }, { user }) => ({
        status: code === 'key-missing' ? 422 : 409,
        headers: { 'X-For': user, 'Cache-Control': 'private', Via: ['a', 'b'] },
        body: { error: { code, message: detail, retryAfter } },
      }),
    })
    const { status, headers, body } = await ask({ headers: [] })
    expect([status, headers['x-for'], headers['cache-control'], headers['content-type'], headers.link]).toEqual([
      422,
      'ann',
      'private',
      'application/json',
      expect.stringContaining('rel="describedby"'),
    ])
    expect(jsonOf(body)).toEqual({ error: { code: 'key-missing', message: expect.stringContaining('UUID') } })
  })

  it.each<[string, object, string, string]>([
    ['text', { body: '# No key' }, 'text/plain; charset=utf-8', '# No key'],
    ['bytes', { body: text('x'), headers: { 'content-type': 'text/markdown' } }, 'text/markdown', 'x'],
  ])('takes %s', async (_, answer, type, body) => {
    const { ask } = setUp({ problem: () => answer })
    expect(await ask({ headers: [] })).toMatchObject({ status: 400, body, headers: { 'content-type': type } })
  })

  it('leaves a problem as it is, or changes its status only', async () => {
    expect(await setUp({ problem: () => undefined }).ask({ headers: [] })).toMatchObject({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
    })
    const changed = await setUp({ problem: () => ({ status: 428 }) }).ask({ headers: [] })
    expect([changed.status, jsonOf(changed.body).status]).toEqual([428, 428])
  })

  it('may throw, for the error handler of the framework', async () => {
    const { ask } = setUp({
      problem: ({ title }) => {
        throw new RangeError(title)
      },
    })
    await expect(ask({ headers: [] })).rejects.toThrow(RangeError)
  })

  it('shapes what a handler refuses, and what a status resource answers', async () => {
    const problem: HttpOptions<Asked>['problem'] = ({ code }) => ({ body: code })
    const { guard, idempotency } = setUp({ problem })
    const refused = guard.refusalOf(preconditionFailed(), { user: 'ann' })
    expect(refused && read(refused)).toMatchObject({ status: 412, body: 'precondition-failed' })
    expect(guard.refusalOf(new Error('x'), { user: 'ann' })).toBeUndefined()
    const resource = statusResource<Asked>(idempotency, {
      path: '/operations',
      scope: ({ user }) => user,
      secret: 'sixteen random bytes',
      problem,
    })
    expect(read(await resource.answer('none', { user: 'ann' }))).toMatchObject({
      status: 404,
      body: 'unknown-operation',
    })
  })

  it('is refused without a usable status', async () => {
    const { ask } = setUp({ problem: () => ({ status: 99 }) })
    await expect(ask({ headers: [] })).rejects.toThrow('problem')
  })
})

describe('preset', () => {
  const reused = { body: text('{"other":1}') }

  it('stripe: Idempotent-Replayed, and its errors', async () => {
    const { ask } = setUp({ preset: 'stripe' })
    await ask()
    expect(await ask()).toMatchObject({ status: 201, headers: { 'idempotent-replayed': 'true' } })
    const { status, body, headers } = await ask(reused)
    expect([status, headers['stripe-should-retry']]).toEqual([400, 'false'])
    expect(jsonOf(body)).toMatchObject({ error: { type: 'idempotency_error', message: expect.any(String) } })
  })

  it('acp: the codes and statuses of the Agentic Commerce Protocol', async () => {
    const { ask } = setUp({ preset: 'acp' })
    const missing = await ask({ headers: [] })
    await ask()
    const conflict = await ask(reused)
    expect([missing.status, jsonOf(missing.body)]).toEqual([
      400,
      { type: 'invalid_request', code: 'idempotency_key_required', message: expect.any(String) },
    ])
    expect([conflict.status, jsonOf(conflict.body).code]).toEqual([422, 'idempotency_conflict'])
    expect((await ask()).headers['idempotent-replayed']).toBe('true')
  })

  it('yields to problem and replayHeader', async () => {
    const { ask } = setUp({ preset: 'stripe', replayHeader: 'X-Replayed', problem: () => ({ body: 'own' }) })
    await ask({}, { answer: { headers: [['x-replayed', 'upstream']] } })
    const { headers } = await ask()
    expect([headers['x-replayed'], headers['idempotent-replayed']]).toEqual(['true', undefined])
    expect(await ask(reused)).toMatchObject({ status: 422, body: 'own' })
  })
})

describe('record', () => {
  const answering = (body: string, status = 200): Partial<HttpResponse> => ({ status, body: text(body) })

  it('sees the body: an answer of GraphQL with errors releases the key', async () => {
    const { ask } = setUp({ record: ({ json }) => !(json() as { errors?: unknown }).errors })
    const failed = { answer: answering('{"errors":[{"message":"try later"}]}') }
    expect((await ask({}, failed)).runs).toBe(1)
    expect((await ask({}, { answer: answering('{"data":1}') })).runs).toBe(2)
    expect(await ask()).toMatchObject({ status: 200, body: '{"data":1}', runs: 2 })
  })

  it('has no body where it is not held', async () => {
    const seen: unknown[] = []
    const { ask } = setUp({
      record: ({ body, json }) => {
        seen.push(body, json())
        return false
      },
    })
    await ask({}, { answer: answering('{}'), replayable: false })
    await ask({}, { answer: { ...answering('{}'), headers: [['Content-Encoding', 'br']] } })
    await ask({}, { answer: answering('no json') })
    expect(seen).toEqual([undefined, undefined, undefined, undefined, text('no json'), undefined])
  })

  it.each(['final', 'success'] as const)('takes 207 for not final: %s', async (record) => {
    const { ask } = setUp({ record })
    await ask({}, { answer: answering('[]', 207) })
    expect((await ask({}, { answer: answering('[]', 207) })).runs).toBe(2)
  })
})

describe('storeHeaders', () => {
  it.each([
    'Authorization',
    'proxy-authorization',
    'Cookie',
    'X-Api-Key',
    'X-Auth-Token',
    'X-CSRF-Token',
    'Client-Secret',
    'Cf-Access-Jwt-Assertion',
  ])('refuses credentials: %s', (name) => {
    const options = { storeRequest: 'plaintext', storeHeaders: ['content-type', name] } as const
    expect(() => setUp(options)).toThrow('credentials')
  })

  it('takes others', () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    const storeHeaders = ['content-type', 'webhook-signature', 'accept-language', 'x-request-id']
    createGuard(idempotency, { scope: () => 'a', storeRequest: 'plaintext', storeHeaders })
  })
})
