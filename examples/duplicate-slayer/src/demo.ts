/**
 * Payments sent many times, over a network that loses requests and responses, to a server that is killed.
 *
 * Opens a page to try it. `--once` plays it without a browser and ends by itself: 0 if every payment was charged exactly
 * once, else 1. `--off` begins without idempotency. `--no-open` opens no browser, `--port` takes a fixed port.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { playOnce } from './once/play-once.ts'
import { openBrowser } from './open-browser.ts'
import { openPage } from './page/page.ts'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    off: { type: 'boolean', default: false },
    'no-open': { type: 'boolean', default: false },
    port: { type: 'string' },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const folder = mkdtempSync(join(tmpdir(), 'duplicate-slayer-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

console.log(`Idempotency is ${values.off ? 'OFF' : 'on'}. The network loses responses with --seed ${seed}.`)
if (values.once) {
  process.exitCode = (await playOnce({ folder, idempotency: !values.off, seed })) ? 0 : 1
} else {
  const page = await openPage({ folder, idempotency: !values.off, seed, port: Number(values.port ?? 0) })
  console.log(`Duplicate Slayer: ${page.url}  (Ctrl-C ends it)`)
  if (!values['no-open']) openBrowser(page.url)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void page.close().then(() => process.exit()))
  }
}
