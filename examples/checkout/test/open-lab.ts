/** Tabs of a real Chromium that have the client in their hands. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { flags } from '../../../scripts/browser.mjs'
import type { Lab } from '../page/lab.ts'
import { listen } from '../src/listen.ts'
import { bundle } from '../src/serve-page.ts'

export interface OpenLab {
  readonly context: BrowserContext
  readonly url: string
  tab(): Promise<Page>
  close(): Promise<void>
}

declare const lab: Lab

/** Its pages have the script of that name in `page`. */
export async function openLab(executablePath: string, name: 'lab' | 'hook' | 'recipes' = 'lab'): Promise<OpenLab> {
  const script = await bundle(fileURLToPath(new URL(`../page/${name}.ts`, import.meta.url)))
  const html = '<!doctype html><title>Lab</title><script type="module" src="/lab.js"></script>'
  const { url, close } = await listen(
    createServer((request, response) => {
      const isScript = request.url === '/lab.js'
      response.setHeader('Access-Control-Allow-Origin', '*')
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html').end(isScript ? script : html)
    }),
  )
  const profile = mkdtempSync(join(tmpdir(), 'retryproof-lab-'))
  // tabs in processes of their own, as users have them
  const args = [...flags, '--site-per-process']
  const context = await chromium.launchPersistentContext(profile, { executablePath, args })
  return {
    context,
    url,
    async tab() {
      const page = await context.newPage()
      await page.goto(url)
      await hasLab(page, name)
      return page
    },
    async close() {
      await context.close()
      await close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

/** Resolves when the page's script has run. */
export async function hasLab(page: Page, name = 'lab'): Promise<void> {
  await page.waitForFunction((global) => global in globalThis, name)
}

export function send(page: Page, ...args: Parameters<Lab['send']>): ReturnType<Lab['send']> {
  return page.evaluate((given) => lab.send(...given), args)
}

/** The answers that two tabs get about the same names at the same moment. */
export async function race(tabs: readonly Page[], storage: Parameters<Lab['race']>[0], rounds: number) {
  const startAt = Date.now() + 200
  const name = `race ${startAt}`
  return Promise.all(
    tabs.map((tab) => tab.evaluate((given) => lab.race(...given), [storage, rounds, startAt, name] as const)),
  )
}
