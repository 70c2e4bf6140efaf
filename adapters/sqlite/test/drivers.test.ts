/** The same store on the drivers of other runtimes, each run by that runtime. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runtime } from '../../../scripts/runtimes.mjs'
import type { Report } from './drivers/run-checks.ts'

const script = fileURLToPath(new URL('drivers/run-checks.ts', import.meta.url))

test.for([
  ['node22', 'node:sqlite'],
  ['node24', 'node:sqlite'],
  ['bun', 'bun:sqlite'],
] as const)('the conformance suite passes on %s with %s', { timeout: 600_000 }, async ([name, driver], { skip }) => {
  const found = runtime(name)
  if (found.missing !== undefined) {
    if (process.env.CI) throw new Error(found.missing)
    return skip(`not tested: ${found.missing}`)
  }
  const report = await runChecks(found.path, driver)
  expect(report.failed).toEqual({})
  expect(report.passed).toBeGreaterThan(40)
  expect(Object.keys(report.skipped).length).toBeLessThan(report.passed / 4)
})

async function runChecks(binary: string, driver: string): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-sqlite-'))
  try {
    const child = spawn(binary, [script, driver, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    const output = await text(child.stdout)
    return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Report
  } finally {
    rmSync(folder, { recursive: true })
  }
}
