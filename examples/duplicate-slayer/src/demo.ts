/**
 * One payment sent many times, over a network that loses responses, to a server that is killed twice.
 *
 * `--once` ends by itself: 0 if every payment was charged exactly once, else 1. `--off` runs without idempotency.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { report } from './report.ts'
import { runScenarios } from './run-scenarios.ts'
import { openShop } from './shop.ts'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    off: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const folder = mkdtempSync(join(tmpdir(), 'duplicate-slayer-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

console.log(`Idempotency is ${values.off ? 'OFF' : 'on'}. The network loses responses with --seed ${seed}.`)
const shop = await openShop({ folder, on: !values.off, seed })
await runScenarios(shop)
const exactlyOnce = await report(shop)
if (values.once) {
  await shop.close()
  process.exitCode = exactlyOnce ? 0 : 1
} else {
  console.log(invitation(shop.url))
  process.on('SIGINT', () => process.exit())
}

function invitation(url: string): string {
  return `
Try it yourself: ${url}

  curl -i ${url}/charges -H 'Idempotency-Key: "mine-1"' -H 'Content-Type: application/json' -d '{"order":"mine-1","amount":4200}'

Send it again: the same answer, marked Idempotency-Replayed, and no second charge. Change the amount: 422. Ctrl-C ends.`
}
