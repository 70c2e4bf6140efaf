/** Tests storages of a real browser, and intents in one that keeps nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser } from '../../../scripts/browser.mjs'
import type { Lab, StorageName } from '../page/lab.ts'
import { hasLab, type OpenLab, openLab, race, send } from './open-lab.ts'

declare const lab: Lab

const chromium = await browser()
const lacks = chromium.missing === undefined ? '' : ` (not tested: ${chromium.missing})`

describe.skipIf(lacks !== '')(`in Chromium${lacks}`, { timeout: 60_000 }, () => {
  let opened: OpenLab
  beforeAll(async () => {
    opened = await openLab(chromium.path ?? '')
  }, 60_000)
  afterAll(() => opened.close())

  test.each<StorageName>(['local', 'session', 'indexedDb', 'cookie', 'url'])(
    '%s: a reload keeps the key',
    async (name) => {
      const page = await opened.tab()
      const before = await send(page, name, 'reload')
      await page.reload()
      await hasLab(page)
      const after = await send(page, name, 'reload')
      expect(before).toEqual({ key: expect.stringMatching(/^"[\w-]{36}"$/), sent: 1 })
      expect(after).toEqual(before)
      expect(await send(page, name, 'reload', 'another body')).toEqual({ code: 'INTENT_CHANGED', sent: 0 })
      expect(await send(page, name, 'another intent')).not.toEqual(before)
      await page.close()
    },
  )

  test('memory: a reload forgets the key', async () => {
    const page = await opened.tab()
    const before = await send(page, 'memory', 'reload')
    await page.reload()
    await hasLab(page)
    expect((await send(page, 'memory', 'reload')).key).not.toBe(before.key)
    await page.close()
  })

  test.each<[StorageName, number]>([
    ['local', 300],
    ['indexedDb', 300],
    ['cookie', 60],
  ])('%s: two tabs that ask in the same moment get the same key, %i times of so many', async (name, rounds) => {
    const tabs = [await opened.tab(), await opened.tab()]
    const [first, second] = await race(tabs, name, rounds)
    expect(new Set(first).size).toBe(rounds)
    expect(second).toEqual(first)
    await Promise.all(tabs.map((tab) => tab.close()))
    await opened.context.clearCookies()
  })

  test('without Web Locks, cookies take turns by a transaction of IndexedDB', async () => {
    const tabs = [await opened.context.newPage(), await opened.context.newPage()]
    for (const tab of tabs) {
      await tab.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
      await tab.goto(opened.url)
      await hasLab(tab)
    }
    const [first, second] = await race(tabs, 'cookie', 60)
    expect(new Set(first).size).toBe(60)
    expect(second).toEqual(first)
    await Promise.all(tabs.map((tab) => tab.close()))
    await opened.context.clearCookies()
  })

  test('a tab of its own has a key of its own in sessionStorage', async () => {
    const tabs = [await opened.tab(), await opened.tab()]
    const [first, second] = await Promise.all(tabs.map((tab) => send(tab, 'session', 'mine')))
    expect(second?.key).not.toBe(first?.key)
    await Promise.all(tabs.map((tab) => tab.close()))
  })

  test('a full localStorage: a typed error, and nothing is sent', async () => {
    const page = await opened.tab()
    await page.evaluate(() => {
      let size = 5_000_000
      for (let at = 0; size > 0; at++) {
        try {
          localStorage.setItem(`full ${at}`, 'x'.repeat(size))
        } catch {
          size = Math.floor(size / 2)
        }
      }
    })
    expect(await send(page, 'local', 'full')).toEqual({ code: 'INTENT_STORAGE', sent: 0 })
    // the entry from before is still found
    await page.evaluate(() => localStorage.clear())
    expect(await send(page, 'local', 'full')).toMatchObject({ sent: 1 })
    await page.close()
  })

  test('storages that are blocked: a typed error, and nothing is sent', async () => {
    const page = await opened.tab()
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      frame.sandbox.add('allow-scripts')
      frame.srcdoc = `<script type="module" src="${location.origin}/lab.js"></script>`
      document.body.append(frame)
    })
    await expect.poll(() => page.frames().length).toBe(2)
    const [, frame] = page.frames()
    await frame?.waitForFunction(() => 'lab' in globalThis)
    for (const name of ['local', 'session', 'indexedDb', 'cookie'] as const) {
      const told = await frame?.evaluate((storage) => lab.send(storage, 'i'), name)
      expect(told).toEqual({ code: 'INTENT_STORAGE', sent: 0 })
    }
    await page.close()
  })

  test('what is not ours under the name: a typed error, and cancel mends it', async () => {
    const page = await opened.tab()
    await page.evaluate(() => {
      // biome-ignore lint/suspicious/noDocumentCookie: as other code would
      document.cookie = `${encodeURIComponent('retryproof:torn')}=half; Path=/`
    })
    expect(await send(page, 'cookie', 'torn')).toEqual({ code: 'INTENT_STORAGE', sent: 0 })
    await page.evaluate(() => lab.clear('cookie', 'torn'))
    expect(await send(page, 'cookie', 'torn')).toMatchObject({ sent: 1 })
    await page.close()
  })

  test('localStorage: new intents clear away what is done and over', async () => {
    const page = await opened.tab()
    const options = { keepFor: '2s' } as const
    await send(page, 'local', 'over', 'body', options)
    const isKept = () => page.evaluate(() => localStorage.getItem('retryproof:over') !== null)
    expect(await isKept()).toBe(true)
    let made = 0
    await expect
      .poll(
        async () => {
          await send(page, 'local', `later ${made++}`, 'body', options)
          return isKept()
        },
        { timeout: 20_000 },
      )
      .toBe(false)
    await page.evaluate(() => localStorage.clear())
    await page.close()
  })

  test('every kind of request is sent, again with the same key', async () => {
    const page = await opened.tab()
    const seen = await page.evaluate(() => lab.requests())
    expect(Object.keys(seen)).toHaveLength(11)
    expect(new Set(Object.values(seen))).toEqual(new Set(['200,200 1']))
    await page.close()
  })

  test('no-cors is refused, with which Chromium would drop the key', async () => {
    const page = await opened.tab()
    expect(await page.evaluate(() => lab.refused('no-cors'))).toBe('INTENT_UNSENDABLE')
    expect(await page.evaluate(() => lab.refused('same-origin'))).toBe('200')
    await page.close()
  })

  test('offline, then online again: it is sent when there is a network', async () => {
    const page = await opened.tab()
    await opened.context.setOffline(true)
    const sending = page.evaluate(() => lab.online('offline'))
    await expect.poll(() => page.evaluate(() => lab.tries())).toBe(1)
    await opened.context.setOffline(false)
    expect(await sending).toEqual({ status: 200, keys: 1 })
    await page.close()
  })
})
