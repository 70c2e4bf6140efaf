import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, test } from 'vitest'
import { idempotent } from '../src/fetch.ts'
import { readRecord, redact, toPlain, toShown } from '../src/internal.ts'

test('a kept request and its response are read as JSON, without what looks like a credential', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
  const handle = idempotent(
    idempotency,
    { operation: 'POST /charges', scope: () => 'user_42', storeRequest: 'plaintext' },
    () => Response.json({ id: 'ch_1', client_secret: 'hunter2' }, { status: 201 }),
  )
  const body = JSON.stringify({ amount: 100, password: 'hunter2' })
  const headers = { 'content-type': 'application/json', 'idempotency-key': '"order-1"' }
  await handle(new Request('http://shop.test/charges', { method: 'POST', headers, body }))
  for await (const { key } of idempotency.list()) {
    const record = await readRecord(idempotency, key)
    if (!record) throw new Error('There is no record.')
    const text = JSON.stringify(toShown(record, redact), toPlain)
    expect(text).not.toContain('hunter2')
    expect(JSON.parse(text)).toMatchObject({
      key,
      fingerprint: record.fingerprint,
      request: { key: 'order-1', payload: { method: 'POST', body: { amount: 100, password: '[redacted]' } } },
      value: { status: 201, body: { id: 'ch_1', client_secret: '[redacted]' } },
    })
  }
  expect.assertions(2)
})

test.each([
  ['/pay?access_token=hunter2&page=2#top', '/pay?access_token=[redacted]&page=2#top'],
  ['user=ada&password=hunter2', 'user=ada&password=[redacted]'],
  ['user%5Bpassword%5D=hunter2&user%5Bname%5D=ada', 'user%5Bpassword%5D=[redacted]&user%5Bname%5D=ada'],
  ['theme=dark; session=hunter2', 'theme=dark; session=[redacted]'],
  ['got {"pwd": "hun\\"ter2", "page": "2"}', 'got {"pwd": "[redacted]", "page": "2"}'],
  [
    { nested: [{ accessKey: 'hunter2', securityCode: '123' }] },
    { nested: [{ accessKey: '[redacted]', securityCode: '[redacted]' }] },
  ],
  ['2 + 2 = 4; tokens are counted', '2 + 2 = 4; tokens are counted'],
])('of %j only the credential is left out', (value, shown) => {
  expect(redact(value)).toEqual(shown)
})
