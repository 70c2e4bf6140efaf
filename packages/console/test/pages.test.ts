import { wrapStore } from '@retryproof/core/store'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test } from 'vitest'
import { expectSafe } from './expect-safe.ts'
import { openConsole } from './open-console.ts'

describe('pages', () => {
  test('the overview says that somebody is needed, and counts', async () => {
    const { get } = await openConsole()
    const page = await get('/')
    expect(page.status).toBe(200)
    expectSafe(page)
    expect(page.text).toContain('2 keys are parked')
    expect(page.text).toContain('<span class="name">Completed</span><span class="count">1</span>')
    expect(page.text).toMatch(/Replays saved<\/dt><dd>0/)
  })

  test('the overview is there while a large table is counted for the first time', async () => {
    const counting = new Promise<never>(() => {})
    const { get } = await openConsole({ store: wrapStore(memoryStore(), { count: () => counting }) })
    const page = await get('/')
    expect(page.status).toBe(200)
    expectSafe(page)
    expect(page.text).toContain('The records are being counted')
    expect(page.text).not.toContain('Nothing waits for you')
  })

  test('the overview counts replays of this process', async () => {
    const { get, shop } = await openConsole()
    for (let i = 0; i < 3; i++) await shop.run({ operation: 'charge', scope: 'x', key: 'k' }, () => 1)
    expect((await get('/')).text).toMatch(/Replays saved<\/dt><dd>2 /)
  })

  test('the list filters by what stands in its address, and goes on after its last key', async () => {
    const { get, keys, shop } = await openConsole()
    const parked = await get('/records?state=parked')
    expectSafe(parked)
    expect(parked.text).toContain(`/idempotency/records/${keys.get('refund')}`)
    expect(parked.text).not.toContain(`/idempotency/records/${keys.get('charge')}`)
    expect((await get('/records?scope=tenant_7%0D%0Auser_42')).text).toContain(`${keys.get('charge')}`)
    expect((await get('/records?scope=tenant_8')).text).toContain('No record fits')
    expect((await get('/records?operation=POST+%2Forders')).text).toContain(`${keys.get('post-orders')}`)
    for (let i = 0; i < 60; i++) await shop.run({ operation: 'many', scope: 'x', key: `k${i}` }, () => i)
    const seen: string[] = []
    for (let path = '/records?operation=many'; path !== ''; ) {
      const { text } = await get(path)
      seen.push(...[...text.matchAll(/records\/(shop\.many\.[0-9a-f]{64})/g)].map(([, key]) => key ?? ''))
      path = (/rel="next" href="\/idempotency([^"]+)"/.exec(text)?.[1] ?? '').replaceAll('&amp;', '&')
    }
    expect(new Set(seen).size).toBe(60)
  })

  test.each([
    ['stuck', 'soon'],
    ['stuck', '-1m'],
    ['stuck', '10'],
    ['state', 'in_progress'],
    ['state', '__proto__'],
    ['namespace', 'else'],
    ['after', 'shop'],
  ])('a filter that cannot be used is told, and nothing is read: %s=%s', async (name, text) => {
    const { get } = await openConsole()
    const page = await get(`/records?${name}=${text}`)
    expect([page.status, page.text]).toEqual([400, expect.stringContaining(`${name}: `)])
    expect(page.text).toContain('Nothing was read.')
    expectSafe(page)
  })

  test('a record is explained, decoded and redacted', async () => {
    const { get, keys } = await openConsole()
    const page = await get(`/records/${keys.get('charge')}`)
    expectSafe(page)
    for (const text of [
      String(keys.get('charge')?.split('.')[2]),
      'Fencing token',
      'Fingerprint',
      'ch_1',
      '[redacted]',
    ])
      expect(page.text).toContain(text)
    expect(page.text).not.toContain('hunter2')
    expect(page.text).toContain('Attempt 1 acquired the key')
    const download = await get(`/records/${keys.get('charge')}/value.json`)
    expect(JSON.parse(download.text)).toEqual({ id: 'ch_1', password: '[redacted]' })
    expect(download.headers.get('content-disposition')).toMatch(/^attachment/)
  })

  test('the key of a customer is found', async () => {
    const { get, keys } = await openConsole()
    const found = await get('/find?operation=refund&scope=tenant_7%0Auser_42&key=order-1017')
    expect([found.status, found.headers.get('location')]).toEqual([303, `/idempotency/records/${keys.get('refund')}`])
    const missed = await get('/find?operation=refund&scope=tenant_7&key=order-1017')
    expect([missed.status, missed.text]).toEqual([404, expect.stringContaining('There is no record of this key')])
    expectSafe(missed)
    expect((await get('/find?operation=&scope=&key=')).status).toBe(404)
  })

  test.each(['/nothing', '/records/order-1', `/records/shop.x.${'0'.repeat(64)}`, `/records/else.x.${'0'.repeat(64)}`])(
    '%s is not found',
    async (path) => {
      const { get } = await openConsole()
      const page = await get(path)
      expect(page.status).toBe(404)
      expectSafe(page)
    },
  )
})
