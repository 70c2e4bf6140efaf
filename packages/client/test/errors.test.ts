/** Errors: their codes, their pages, and their advice. */
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as client from '../src/index.ts'
import { isIntentError } from '../src/index.ts'
import { answer, setUp } from './set-up.ts'

test('an error is known by its code in every copy of the package, and names the page that explains it', async () => {
  const { send } = setUp([undefined], { retry: { tries: 1 } })
  const error = await send().catch((error: unknown) => error)
  expect([isIntentError(error), isIntentError(error, 'INTENT_UNREACHABLE')]).toEqual([true, true])
  expect([isIntentError(error, 'INTENT_EXPIRED'), isIntentError(new Error('other')), isIntentError(null)]).toEqual(
    Array(3).fill(false),
  )
  expect(error).toMatchObject({ help: expect.stringMatching(/\/docs\/errors\.md#intent_unreachable$/) })
  vi.resetModules()
  const copy = await import('../src/index.ts')
  expect(copy.isIntentError).not.toBe(isIntentError)
  expect(copy.isIntentError(error, 'INTENT_UNREACHABLE')).toBe(true)
})

test.each([
  ['of another origin names the preflight', 'https://page.example/pay', true],
  ['of the same origin does not', 'https://shop.example/pay', false],
])('the error of a server %s that was never reached', async (_, page, isNamed) => {
  vi.stubGlobal('location', { href: page, origin: new globalThis.URL(page).origin })
  onTestFinished(() => void vi.unstubAllGlobals())
  const { send } = setUp([undefined], { retry: { tries: 2, backoff: { first: 1 } }, header: 'X-Key' })
  const told = String(await send().catch((error: unknown) => error))
  expect(told.includes('CORS') && told.includes('X-Key')).toBe(isNamed)
})

test('a server of another origin that answered once is not said to refuse the preflight', async () => {
  vi.stubGlobal('location', { href: 'https://page.example/', origin: 'https://page.example' })
  onTestFinished(() => void vi.unstubAllGlobals())
  const { send } = setUp([answer(503), undefined], { retry: { tries: 2, backoff: { first: 1 } } })
  await expect(send()).rejects.toThrow(/^No answer in 2 tries\. The same intent may be sent again\.$/)
})

test('an error after a single try counts it as one', async () => {
  const { send } = setUp([undefined], { retry: { tries: 1 } })
  await expect(send()).rejects.toThrow(/^No answer in 1 try\. /)
})

test('docs/errors.md has one heading for each code, and names its class', () => {
  const page = readFileSync(new globalThis.URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const headings = [...page.matchAll(/^## (INTENT_\w+)\n\n`(\w+)`/gm)].map(([, code, name]) => [code, name])
  const classes = Object.values(client).flatMap((value) =>
    typeof value === 'function' && value.prototype instanceof client.IntentError ? [value.name] : [],
  )
  const codeOf = (name: string) =>
    name
      .replace(/Error$/, '')
      .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
      .toUpperCase()
  expect(headings.toSorted()).toEqual(classes.map((name) => [codeOf(name), name]).toSorted())
  expect(headings).toHaveLength(5)
})
