import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { consoleHandler } from '../src/index.ts'
import { expectSafe } from './expect-safe.ts'
import { ORIGIN } from './open-console.ts'

const SNIPPETS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus='alert(1)",
  '</textarea></pre><svg onload=alert(1)>',
  '\u001b[2J\u009b31m\u0007',
  '\u202e\u2066\u200f',
  '&lt;&amp;#x27;',
  '\0\u2028\ufeff',
  '<!--',
  ']]>',
]
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...SNIPPETS), fc.string({ unit: 'binary' })), { maxLength: 4 })
  .map((parts) => parts.join(''))

async function readAll(handle: (request: Request) => Promise<Response>, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const response = await handle(new Request(`${ORIGIN}/idempotency${path}`))
    expect(response.status).toBeLessThan(500)
    expectSafe({ text: await response.text(), headers: response.headers })
  }
}

const query = (fields: Readonly<Record<string, string>>) => `?${new URLSearchParams(fields)}`

describe('hostile text', () => {
  test('of records, of addresses and of users comes out as text on every page', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const named = `x${text}`.toWellFormed().slice(0, 200).toWellFormed()
        const namespace = named.slice(0, 100).toWellFormed()
        const shop = createIdempotency({ store: memoryStore(), namespace, purge: false })
        const call = { operation: named, scope: named, key: named }
        const writes = shop.operation(named, { storeRequest: 'plaintext', onFailure: 'store' })
        await writes.run({ ...call, payload: { [named]: named } }, () => ({ [named]: [named], name: named }))
        const failure = Object.assign(new Error(named), { code: named })
        await writes.run({ ...call, key: 'f' }, () => Promise.reject(failure)).catch(() => undefined)
        const handle = consoleHandler({ idempotency: shop, authorize: () => ({ name: named }) })
        const keys: string[] = []
        for await (const { key } of shop.list()) keys.push(key)
        expect(keys).toHaveLength(2)
        await readAll(handle, [
          '/',
          '/records',
          ...keys.flatMap((key) =>
            ['', '/value.json', '/request.json', '/forget', '/complete'].map((end) => `/records/${key}${end}`),
          ),
          `/records${query({ operation: named, scope: named, stuck: text, state: text, after: text })}`,
          `/find${query({ operation: text, scope: text, key: text, namespace: text })}`,
          `/erase${query({ scope: named, namespace })}`,
          `/${query({ done: text, erased: text })}`,
          `/records/${encodeURIComponent(text)}`,
        ])
      }),
      { numRuns: 15 },
    )
  })

  test('of a megabyte is cut on the page, and can be downloaded whole', { timeout: 30_000 }, async () => {
    const shop = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
    const text = '<b>\u202e'.repeat(1024 * 256)
    await shop.run({ operation: 'large', scope: 'x', key: 'k' }, () => text)
    const handle = consoleHandler({ idempotency: shop, authorize: () => ({ name: 'ada' }) })
    let pages = 0
    for await (const { key } of shop.list()) {
      pages++
      const page = await handle(new Request(`${ORIGIN}/idempotency/records/${key}`))
      const shown = await page.text()
      expect(shown.length).toBeLessThan(60_000)
      expect(shown).toContain('Download the whole')
      const whole = await handle(new Request(`${ORIGIN}/idempotency/records/${key}/value.json`))
      expect(JSON.parse(await whole.text())).toBe(text)
    }
    expect(pages).toBe(1)
  })
})
