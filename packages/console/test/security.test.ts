import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test } from 'vitest'
import { type ConsoleOptions, consoleHandler } from '../src/index.ts'
import { expectSafe } from './expect-safe.ts'
import { hiddenFields, ORIGIN, openConsole } from './open-console.ts'

const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
const authorize = () => ({ name: 'ada' })

describe('options', () => {
  test.each([
    ['authorize', { idempotency }],
    ['authorize', { idempotency, authorize: 'ada' }],
    ['idempotency', { authorize }],
    ['idempotency', { authorize, idempotency: [] }],
    ['idempotency', { authorize, idempotency: [idempotency, idempotency] }],
    ['basePath', { idempotency, authorize, basePath: 'https://elsewhere.test/"' }],
    ['publicPath', { idempotency, authorize, publicPath: '//elsewhere.test' }],
    ['authorise', { idempotency, authorize, authorise: authorize }],
    ['readOnly', { idempotency, authorize, readOnly: 'no' }],
  ])('%s is checked', (option, options) => {
    expect(() => consoleHandler(options as unknown as ConsoleOptions)).toThrow(
      expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', message: expect.stringContaining(option) }),
    )
  })
})

describe('who may see it', () => {
  const paths = ['', '/records', '/assets/style.css', '/nothing'].map((path) => `${ORIGIN}/idempotency${path}`)

  test.each([
    [401, null],
    [401, undefined],
    [403, false],
  ] as const)('%i is the answer to %s, and nothing else is told', async (status, answer) => {
    const handle = consoleHandler({ idempotency, authorize: () => answer })
    for (const path of paths) {
      const response = await handle(new Request(path))
      expect(response.status).toBe(status)
      const text = await response.text()
      expectSafe({ text, headers: response.headers })
      expect(text.length).toBeLessThan(40)
    }
  })

  test('a response is sent as it is, and not cached', async () => {
    const policy = "script-src 'self'"
    const fields = { location: '/login', 'content-security-policy': policy }
    const login = () => new Response(null, { status: 302, headers: fields })
    const response = await consoleHandler({ idempotency, authorize: login })(new Request(`${ORIGIN}/idempotency`))
    expect(response.status).toBe(302)
    expect(Object.fromEntries(response.headers)).toEqual({ ...fields, 'cache-control': 'no-store' })
  })

  test.each([[true], ['ada'], [{}], [{ name: 7 }], [{ name: '' }]])(
    'a user like %j is refused with what to return',
    async (answer) => {
      const handle = consoleHandler({ idempotency, authorize: () => answer as unknown as { name: string } })
      await expect(handle(new Request(`${ORIGIN}/idempotency`))).rejects.toThrow(
        expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', message: expect.stringContaining('name') }),
      )
    },
  )

  test('an authorize that throws opens nothing', async () => {
    const handle = consoleHandler({ idempotency, authorize: () => Promise.reject(new Error('no session store')) })
    await expect(handle(new Request(`${ORIGIN}/idempotency`))).rejects.toThrow('no session store')
  })

  test('other methods are refused', async () => {
    const response = await consoleHandler({ idempotency, authorize })(
      new Request(`${ORIGIN}/idempotency`, { method: 'DELETE' }),
    )
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  })
})

describe('forms', () => {
  test('come from a page of ours, by cookie, token and origin', async () => {
    const opened = await openConsole()
    const key = opened.keys.get('refund')
    const form = await opened.get(`/records/${key}/complete`)
    expect((await opened.get('/')).headers.get('set-cookie')).toBeNull()
    expect(form.headers.get('set-cookie')).toMatch(
      /^__Host-retryproof-console=[0-9a-f]{32}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    )
    const value = '1'
    for (const [fields, headers] of [
      [{ value, 'form-token': '' }, {}],
      [{ value, 'form-token': 'f'.repeat(64) }, {}],
      [{ value }, { cookie: '' }],
      [{ value }, { cookie: `__Host-retryproof-console=${'0'.repeat(32)}` }],
      [{ value }, { 'sec-fetch-site': 'cross-site' }],
      [{ value }, { 'sec-fetch-site': 'same-site' }],
      [{ value }, { 'sec-fetch-site': 'none' }],
    ] as const) {
      const refused = await opened.submit(form, fields, headers as Record<string, string>)
      expect([fields, headers, refused.status]).toEqual([fields, headers, 403])
      expectSafe(refused)
    }
    expect((await opened.shop.inspect({ key: key ?? '' }))?.state).toBe('parked')
    const fresh = await opened.get(`/records/${key}/complete`)
    expect((await opened.submit(fresh, { value })).status).toBe(303)
  })

  test('of browsers without Sec-Fetch-Site are held to their origin', async () => {
    const shop = await openConsole()
    const key = shop.keys.get('refund')
    const handle = consoleHandler({ idempotency: shop.shop, authorize })
    const path = `${ORIGIN}/idempotency/records/${key}/complete`
    const got = await handle(new Request(path))
    const cookie = got.headers.get('set-cookie')?.split(';')[0] ?? ''
    const body = { ...hiddenFields(await got.text()), value: '1' }
    const post = async (headers: Record<string, string>) =>
      (
        await handle(
          new Request(path, { method: 'POST', body: new URLSearchParams(body), headers: { cookie, ...headers } }),
        )
      ).status
    expect(await post({})).toBe(403)
    expect(await post({ origin: 'null' })).toBe(403)
    expect(await post({ origin: 'https://evil.test' })).toBe(403)
    expect(await post({ origin: ORIGIN })).toBe(303)
  })

  test('of another user or another kind are refused', async () => {
    let name = 'ada'
    const opened = await openConsole({ authorize: () => ({ name }) })
    const form = await opened.get(`/records/${opened.keys.get('refund')}/complete`)
    name = 'bob'
    expect((await opened.submit(form, { value: '1' })).status).toBe(403)
    name = 'ada'
    expect((await opened.submit(form, { value: '1' }, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await opened.submit(form, { value: 'x'.repeat(5 * 1024 * 1024) })).status).toBe(413)
  })
})

describe('read-only', () => {
  test.each([
    ['for everybody', { readOnly: true }],
    ['for one user', { authorize: () => ({ name: 'ada', readOnly: true }) }],
  ])('%s: actions are hidden and refused', async (_, options) => {
    const opened = await openConsole()
    const key = opened.keys.get('refund')
    const handle = await openConsole(options)
    for (const path of ['/', `/records/${handle.keys.get('refund')}`]) {
      const page = await handle.get(path)
      expect([page.status, page.text.includes('read-only')]).toEqual([200, true])
      expect(page.text).not.toMatch(/\/(complete|rerun|forget|erase)"/)
    }
    expect((await handle.get(`/records/${handle.keys.get('refund')}/forget`)).status).toBe(403)
    // a form of one who may change, sent by one who may not: a page of this console gives the token
    const form = await opened.get(`/records/${key}/complete`)
    expect((await handle.submit(form, { value: '1' })).status).toBe(403)
    expect((await handle.shop.inspect({ key: handle.keys.get('refund') ?? '' }))?.state).toBe('parked')
  })
})
