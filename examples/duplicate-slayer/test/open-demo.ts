/** The demo as a process of its own, as `npm run demo` starts it, and its page in a real Chromium with a fresh profile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { flags } from '../../../scripts/browser.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface OpenPage {
  readonly context: BrowserContext
  readonly page: Page
  /** The errors of the page, without the requests that the bad network is there to lose. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

export interface OpenDemo extends OpenPage {
  readonly url: string
}

export async function openDemo(executablePath: string, env: Record<string, string> = {}): Promise<OpenDemo> {
  const demo = spawn(
    process.execPath,
    ['--import', 'tsx', 'examples/duplicate-slayer/src/demo.ts', '--no-open', '--seed', '7'],
    { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const url = await addressFrom(demo.stdout)
  const opened = await openInBrowser(executablePath, url)
  return {
    ...opened,
    url,
    async close() {
      await opened.close()
      if (demo.exitCode !== null) return
      const ended = once(demo, 'exit')
      demo.kill('SIGTERM')
      await ended
    },
  }
}

/** A browser of its own, with a fresh profile: another visitor than any before. */
export async function openInBrowser(executablePath: string, url: string): Promise<OpenPage> {
  const profile = mkdtempSync(join(tmpdir(), 'duplicate-slayer-browser-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: [...flags] })
  const complaints: string[] = []
  const [page = await context.newPage()] = context.pages()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    const isLost = message.text().startsWith('Failed to load resource') && message.location().url.endsWith('/charges')
    if (!isLost && message.type() !== 'log') complaints.push(`${message.type()}: ${message.text()}`)
  })
  await page.goto(url)
  return {
    context,
    page,
    complaints,
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

async function addressFrom(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const [url] = /http:\S+/.exec(line) ?? []
    if (url) {
      // later output is read too, so that the demo never waits for its reader
      output.resume()
      return url
    }
  }
  throw new Error('The demo ended without an address.')
}

/** The text that the page shows now. */
export async function readScore(page: Page): Promise<{ intents: number; charges: number }> {
  const [intents, charges] = await Promise.all(['#intents', '#charges'].map((id) => textOf(page, id)))
  return { intents: Number(intents), charges: Number(charges) }
}

export async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).first().textContent()) ?? ''
}

/** Waits until the page says something that fits, and gives it. */
export async function said(page: Page, pattern: RegExp, timeoutMs = 30_000): Promise<string> {
  await page.locator('#said').filter({ hasText: pattern }).waitFor({ timeout: timeoutMs })
  return textOf(page, '#said')
}

/** Waits until intents and charges are these. */
export async function scored(page: Page, intents: number, charges: number): Promise<void> {
  const shown = `main:has(#intents:text-is("${intents}")):has(#charges:text-is("${charges}"))`
  await page
    .locator(shown)
    .waitFor({ timeout: 15_000 })
    .catch(async () => {
      const instead = await Promise.all(['.till', '#said', '#rows', '#log'].map((part) => textOf(page, part)))
      throw new Error(`Not ${intents} intents and ${charges} charges: ${instead.join(' | ').replace(/\s+/g, ' ')}`)
    })
}

/** The findings of axe on the page in this look. */
export async function violations(page: Page, colorScheme: 'light' | 'dark', width: number, height: number) {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  await page.setViewportSize({ width, height })
  // evaluated from outside, so that the page's content security policy may stay as strict as it is
  return page.evaluate<string[]>(`${axe}; axe.run(document, { preload: false }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`)
}
