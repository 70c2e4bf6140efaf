/** An operator at three in the morning, in a real Chromium: a payment is parked, found, understood and resolved, and its client gets the answer. */
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { memoryStore } from '@retryproof/memory'
import express from 'express'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser as findBrowser, flags } from '../../../scripts/browser.mjs'
import { type ConsoleAction, consoleHandler } from '../src/index.ts'
import { nodeListener } from '../src/node.ts'

const { path: executablePath } = await findBrowser()
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const HOSTILE = '<img src=x onerror="document.title=1">\u202egnp\u001b[2J'
type Look = readonly [colorScheme: 'light' | 'dark', width: number]
const LOOKS: readonly Look[] = [
  ['light', 1280],
  ['dark', 1280],
  ['light', 390],
  ['dark', 390],
]
/** Both widths and both schemes. */
const FEW: readonly Look[] = [
  ['light', 1280],
  ['dark', 390],
]
/** Screenshots are written to this folder, where it is given. */
const pictures = process.env.CONSOLE_PICTURES

describe.skipIf(!executablePath)('in Chromium (skipped where there is none)', { timeout: 60_000 }, () => {
  const actions: ConsoleAction[] = []
  const complaints: string[] = []
  const abroad: string[] = []
  let charges = 0
  let server: Server
  let origin: string
  let browser: Browser
  let page: Page

  const pay = () =>
    fetch(`${origin}/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': '"order-1017"' },
      body: JSON.stringify({ amount: 4200, currency: 'EUR', card_number: '4242424242424242' }),
    })

  beforeAll(async () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
    const app = express()
    app.use(
      '/idempotency',
      nodeListener(
        consoleHandler({
          idempotency,
          authorize: () => ({ name: 'ada@shop.test' }),
          onAction: (action) => void actions.push(action),
        }),
      ),
    )
    const counting = { ...idempotency, count: () => new Promise<never>(() => {}) }
    app.use(
      '/counting',
      nodeListener(
        consoleHandler({ idempotency: counting, basePath: '/counting', authorize: () => ({ name: 'ada' }) }),
      ),
    )
    app.use(express.json())
    app.post(
      '/payments',
      idempotent(idempotency, { scope: () => ['tenant_7', 'user_42'], onTakeover: 'park', storeRequest: 'plaintext' }),
      () => {
        charges++
        throw new Error('the provider hung up')
      },
    )
    app.use(((_error, _req, res, _next) => void res.status(500).end()) as express.ErrorRequestHandler)
    await idempotency.run({ operation: 'mail', scope: 'user_42', key: HOSTILE }, () => ({
      [HOSTILE]: HOSTILE.repeat(4000),
    }))
    await idempotency.run({ operation: 'mail', scope: 'user_42', key: HOSTILE }, () => 1)
    server = await new Promise<Server>((resolve) => {
      const listening = app.listen(0, '127.0.0.1', () => resolve(listening))
    })
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: [...flags, '--host-resolver-rules=MAP console.test 127.0.0.1'],
    })
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(`${origin}/`)) abroad.push(request.url())
    })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await new Promise((resolve) => server?.close(resolve))
  })

  const open = (path: string) => page.goto(`${origin}/idempotency${path}`)
  const textOf = async (part: Locator) => (await part.textContent()) ?? ''

  test('the overview is readable while the records are counted for the first time', async () => {
    await page.goto(`${origin}/counting`)
    await page.getByRole('heading', { name: 'The records are being counted' }).waitFor()
    await look('counting', FEW)
  })

  test('a payment is parked, found, understood and resolved, and its client gets the answer', async () => {
    // the first attempt ends without an answer, and the policy forbids another: a person has to look
    expect((await pay()).status).toBe(500)
    expect((await pay()).status).toBe(409)
    expect(charges).toBe(1)

    await open('/')
    await page.getByRole('heading', { name: '1 key is parked' }).waitFor()
    expect(await page.title()).toBe('1 parked · Retryproof')
    await look('overview')
    await page.getByRole('link', { name: 'Show parked keys' }).click()
    expect(new URL(page.url()).search).toBe('?state=parked')
    await look('records', FEW)
    await page.getByRole('link', { name: /shop\.post-payments/ }).click()
    await page.getByText('its outcome is unknown').first().waitFor()
    const request = await textOf(page.getByLabel('Request, as text'))
    expect(request).toContain('"order-1017"')
    expect(request).toContain('4200')
    expect(request).not.toContain('4242424242424242')
    await look('record')

    await page.getByRole('link', { name: 'I know what happened: record the response…' }).click()
    const key = await textOf(page.locator('.subject .key'))
    expect(key).toMatch(/^shop\.post-payments\.[0-9a-f]{64}$/)
    await page.getByLabel('Body').fill('{ "id": ')
    await page.getByRole('button', { name: 'Record this response' }).click()
    await page.getByRole('alert').filter({ hasText: 'This is no JSON' }).waitFor()
    await look('confirm')
    await page.getByLabel('Body').fill('{ "id": "pay_1", "amount": 4200 }')
    await page.getByRole('button', { name: 'Record this response' }).click()
    await page.getByText('The response is recorded.').waitFor()

    const retried = await pay()
    expect([retried.status, await retried.json()]).toEqual([201, { id: 'pay_1', amount: 4200 }])
    expect(charges).toBe(1)
    expect(actions).toMatchObject([{ action: 'respond', key, outcome: 'done', user: { name: 'ada@shop.test' } }])
  })

  test('the overview keeps itself up to date, and stops when it is told to', async () => {
    await open('/')
    await page.clock.install()
    await page.reload()
    const figure = page.locator('.figures div', { hasText: 'Replays saved' }).locator('dd')
    const before = Number.parseInt(await textOf(figure), 10)
    await pay()
    await page.clock.runFor(6000)
    await page.getByText(/^Updated at/).waitFor()
    expect(Number.parseInt(await textOf(figure), 10)).toBe(before + 1)
    await page.getByRole('button', { name: 'Pause updates' }).click()
    await pay()
    await page.clock.runFor(120_000)
    expect(Number.parseInt(await textOf(figure), 10)).toBe(before + 1)
  })

  test('the keyboard reaches everything, and begins with a link to the content', async () => {
    await open('/')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('location.hash')).toBe('#content')
  })

  test('hostile text neither runs nor breaks the page', async () => {
    await open('/records?operation=mail')
    await look('hostile-list', FEW)
    await page.locator('.records a').click()
    expect(await page.title()).not.toBe('1')
    expect(await page.locator('img:not(header img)').count()).toBe(0)
    await look('hostile-record')
    await open(`/erase?scope=user_42`)
    await look('erase', FEW)
    await open(`/find?operation=${encodeURIComponent(HOSTILE)}&scope=x&key=${encodeURIComponent(HOSTILE)}`)
    await look('find', FEW)
  })

  test('it works without script', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const plain = await context.newPage()
    await plain.goto(`${origin}/idempotency/records?operation=mail`)
    await plain.locator('.records a').click()
    await plain.getByRole('link', { name: 'Forget the record…' }).click()
    await plain.getByLabel('I know that a retry').check()
    await plain.getByRole('button', { name: 'Forget the record' }).click()
    await plain.getByText('The record is forgotten.').waitFor()
    await context.close()
  })

  test('forms are ours over plain HTTP on another host, where browsers send no Sec-Fetch-Site', async () => {
    const distant = await browser.newPage()
    await distant.goto(`${origin.replace('127.0.0.1', 'console.test')}/idempotency/records?operation=post-payments`)
    await distant.locator('.records a').click()
    await distant.getByRole('link', { name: 'Forget the record…' }).click()
    await distant.getByLabel('I know that a retry').check()
    await distant.getByRole('button', { name: 'Forget the record' }).click()
    await distant.getByRole('heading', { level: 1 }).waitFor()
    expect(await textOf(distant.locator('main'))).toContain('The record is forgotten.')
    await distant.close()
  })

  test('a page whose session ended, or whose record is gone, says so and asks no more', async () => {
    const watching = await browser.newPage()
    await watching.clock.install()
    for (const [path, answer, words] of [
      ['', { status: 302, headers: { location: '/login' } }, 'You are signed out'],
      ['', { status: 401, headers: {} }, 'You are signed out'],
      ['/records?state=parked', { status: 404, headers: {} }, 'This record is gone'],
    ] as const) {
      await watching.goto(`${origin}/idempotency${path}`)
      const title = await watching.title()
      let asked = 0
      await watching.route('**/login', (route) => route.fulfill({ body: '<title>Sign in</title>' }))
      await watching.route(`${origin}/idempotency${path}`, (route) => {
        asked++
        return route.fulfill(answer)
      })
      await watching.clock.runFor(11_000)
      await watching.getByText(words).waitFor()
      await watching.clock.runFor(120_000)
      expect([asked, await watching.title()]).toEqual([1, title])
      await watching.unrouteAll()
    }
    await watching.close()
  })

  test('nothing complained, and nothing was asked for elsewhere', () => {
    expect(complaints.filter((text) => !text.includes('422') && !text.includes('404'))).toEqual([])
    expect(abroad).toEqual([])
  })

  /** Holds a page against axe, and against its own width, in these looks. */
  async function look(name: string, looks: readonly Look[] = LOOKS): Promise<void> {
    // evaluated from outside: the policy of the page may stay as strict as it is
    await page.evaluate(axe)
    for (const [colorScheme, width] of looks) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 900 })
      if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${colorScheme}.png`, fullPage: true })
      const violations = await page.evaluate(`axe.run(document).then(({ violations }) =>
          violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`)
      expect([name, width, colorScheme, violations]).toEqual([name, width, colorScheme, []])
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      expect([name, width, overflow]).toEqual([name, width, 0])
    }
    expect(await textOf(page.locator('h1'))).not.toBe('')
    await page.setViewportSize({ width: 1280, height: 900 })
  }
})
