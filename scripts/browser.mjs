/**
 * A real Chromium for tests: one on the PATH, else (where CI is set, as root on Debian) the distribution's package.
 *
 *     import { browser, flags } from '../../../scripts/browser.mjs'
 *     const { path, missing } = await browser()     // drive it with playwright-core: { executablePath: path, args: flags }
 */
import { distribution, NotAvailable, which } from './services/obtain.mjs'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** For a run without a screen, as root too, that asks nobody on the network for anything. */
export const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** `{ path }`, or `{ missing: why }`. Throws when it is missing and CI is set. */
export async function browser() {
  const path = names.map(which).find(Boolean)
  if (path) return { path }
  if (!process.env.CI) return { missing: `none of ${names.join(', ')} on the PATH` }
  try {
    const { command } = await distribution('chromium', { packages: ['chromium'] })()
    return { path: command('chromium')[0] }
  } catch (error) {
    if (error instanceof NotAvailable) throw new Error(`Chromium is needed where CI is set: ${error.message}`)
    throw error
  }
}
