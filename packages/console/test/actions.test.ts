import { describe, expect, test, vi } from 'vitest'
import { reporterOf } from '../src/routes/report-action.ts'
import { expectSafe } from './expect-safe.ts'
import { openConsole, owner } from './open-console.ts'

describe('actions', () => {
  test('a parked key is completed after a page that names it, and its callers get the result', async () => {
    const { get, submit, keys, shop, actions } = await openConsole()
    const key = keys.get('refund')
    const form = await get(`/records/${key}/complete`)
    expectSafe(form)
    expect(form.text.replace(/<[^>]+>/g, '')).toContain(key)
    const typo = await submit(form, { value: '{ "id": ' })
    expectSafe(typo)
    expect([typo.status, typo.text]).toEqual([422, expect.stringContaining('This is no JSON')])
    expect(typo.text).toContain('{ &quot;id&quot;: ')
    const done = await submit(typo, { value: '{ "id": "re_1" }' })
    expect([done.status, done.headers.get('location')]).toEqual([303, `/idempotency/records/${key}?done=complete`])
    expect((await get(`/records/${key}?done=complete`)).text).toContain('The result is recorded.')
    expect(await shop.run({ ...owner, operation: 'refund' }, () => 'again')).toMatchObject({
      value: { id: 're_1' },
      replayed: true,
    })
    expect(actions).toEqual([
      { action: 'complete', user: { name: 'ada' }, namespace: 'shop', key, at: expect.any(Date), outcome: 'done' },
    ])
  })

  test('a guarded route takes a response', async () => {
    const { get, submit, keys } = await openConsole()
    const key = keys.get('post-orders')
    const refused = await submit(await get(`/records/${key}/respond`), { status: '99', value: '' })
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('200 to 599')])
    const value = '{"id":"ord_1"}'
    const done = await submit(refused, { status: '201', type: 'application/json', value })
    expect(done.status).toBe(303)
    expect((await get(`/records/${key}`)).text).toContain('ord_1')
  })

  test('a failure is recorded', async () => {
    const { get, submit, keys, shop } = await openConsole()
    const form = await get(`/records/${keys.get('refund')}/fail`)
    expect((await submit(form, { message: ' ' })).status).toBe(422)
    await submit(form, { message: 'The card was declined.' })
    await expect(shop.run({ ...owner, operation: 'refund' }, () => 1)).rejects.toThrow('The card was declined.')
  })

  test('running again and forgetting ask for certainty first', async () => {
    const { get, submit, keys, shop } = await openConsole()
    for (const [operation, action] of [
      ['refund', 'rerun'],
      ['charge', 'forget'],
    ] as const) {
      const form = await get(`/records/${keys.get(operation)}/${action}`)
      const unsure = await submit(form, {})
      expect([unsure.status, unsure.text]).toEqual([422, expect.stringContaining('Tick the box first')])
      expect((await submit(unsure, { certain: 'yes' })).status).toBe(303)
      expect(await shop.run({ ...owner, operation }, () => 'again')).toMatchObject({ value: 'again', replayed: false })
    }
  })

  test('a scope is erased after a page that names it and counts', async () => {
    const { get, submit, shop, actions } = await openConsole()
    expectSafe(await get('/erase'))
    expect((await get('/erase?scope=nobody')).status).toBe(404)
    const form = await get('/erase?scope=tenant_7%0D%0Auser_42')
    expectSafe(form)
    expect(form.text.replace(/\s+/g, ' ')).toContain('Erase 5 records?')
    expect((await submit(form, {})).status).toBe(422)
    const done = await submit(form, { certain: 'yes' })
    expect(done.headers.get('location')).toBe('/idempotency/?erased=5')
    expect(await shop.count()).toEqual([])
    expect(actions).toMatchObject([{ action: 'erase', scope: owner.scope, records: 5, outcome: 'done' }])
  })

  test.each([
    ['charge', 'rerun', { certain: 'yes' }, 'this one is completed'],
    ['charge', 'complete', { value: '1' }, 'this one is completed'],
    ['post-orders', 'complete', { value: '1' }, 'Callers of a route read responses'],
    ['post-orders', 'fail', { message: 'no' }, 'Callers of a route read responses'],
  ])('%s takes no %s: neither its page nor its form', async (operation, action, fields, reason) => {
    const { get, submit, keys, shop, actions } = await openConsole()
    const key = keys.get(operation) ?? ''
    const page = await get(`/records/${key}/${action}`)
    expectSafe(page)
    expect([page.status, page.text]).toEqual([409, expect.stringContaining(reason)])
    const before = await shop.inspect({ key })
    const seen = `${before?.state} ${before?.token}`
    // the form of another action has the token
    const form = await get(`/records/${key}/forget`)
    const posted = { ...form, text: form.text.replace(`${key}/forget"><input`, `${key}/${action}"><input`) }
    const sent = await submit(posted, { ...fields, seen } as Record<string, string>)
    expect([sent.path, sent.status]).toEqual([`/idempotency/records/${key}/${action}`, 409])
    expect((await shop.inspect({ key }))?.state).toBe(before?.state)
    expect(actions).toMatchObject([{ action, key, outcome: 'refused' }])
  })

  test('a response that no server could send is told', async () => {
    const { get, submit, keys } = await openConsole()
    const form = await get(`/records/${keys.get('post-orders')}/respond`)
    for (const fields of [
      { status: '204', value: '{}' },
      { status: '0xC9', value: '' },
      { status: '201', type: 'text/plain\r\nx: y', value: 'x' },
    ])
      expect([fields, (await submit(form, fields as Record<string, string>)).status]).toEqual([fields, 422])
  })

  test.each(['not JSON', '[]', '["",""]', '[null]', '{"a":1}'])(
    'a scope that no page of ours wrote is refused: %s',
    async (scope) => {
      const { get, submit, shop } = await openConsole()
      const form = await get('/erase?scope=tenant_7%0D%0Auser_42')
      expect((await submit(form, { certain: 'yes', scope })).status).toBe(403)
      expect((await shop.count()).length).toBeGreaterThan(0)
    },
  )

  test.each([
    ['throws', () => Promise.reject(new Error('the audit log is down'))],
    ['does not end', () => new Promise<never>(() => {})],
  ])('an audit log that %s is told to the person, and to the log of the application', async (_, onAction) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const report = reporterOf(onAction, { action: 'rerun', user: { name: 'ada' }, namespace: 'shop', key: 'k' }, 5)
    await expect(report('done')).rejects.toMatchObject({
      status: 500,
      page: { text: expect.stringMatching(/was made/) },
    })
    expect(JSON.stringify(warned.mock.calls)).toMatch(/audit log.*(is down|within 5 ms)/s)
    warned.mockRestore()
  })

  test('a record that changed meanwhile is left alone', async () => {
    const { get, submit, keys, shop, actions } = await openConsole()
    const key = keys.get('refund') ?? ''
    const form = await get(`/records/${key}/complete`)
    await shop.resolve({ key }, 'rerun')
    const late = await submit(form, { value: '1' })
    expect([late.status, late.text]).toEqual([409, expect.stringContaining('The record has changed')])
    expectSafe(late)
    expect(actions.map(({ outcome }) => outcome)).toEqual(['refused'])
  })

  test('an audit log that fails is told', async () => {
    const onAction = () => Promise.reject(new Error('disk full'))
    const { get, submit, keys, shop } = await openConsole({ onAction })
    const key = keys.get('refund') ?? ''
    const page = await submit(await get(`/records/${key}/complete`), { value: '1' })
    expect([page.status, page.text]).toEqual([500, expect.stringContaining('The change was made.')])
    expect((await shop.inspect({ key }))?.state).toBe('completed')
  })
})
