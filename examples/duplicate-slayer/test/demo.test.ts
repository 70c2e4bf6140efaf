import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function runDemo(...args: string[]) {
  const demo = ['--import', 'tsx', 'examples/duplicate-slayer/src/demo.ts', '--once', ...args]
  return spawnSync(process.execPath, demo, { cwd: root, encoding: 'utf8', timeout: 110_000 })
}

/** The last column of the table: charges at the provider, by key. */
function chargesIn(output: string): number[] {
  return [...output.matchAll(/^order-\d+ .*\| (\d+)\s*$/gm)].map(([, charges]) => Number(charges))
}

describe('npm run demo', { timeout: 120_000 }, () => {
  test('with idempotency: every payment is charged exactly once, whatever is lost or killed', () => {
    const { status, stdout, stderr } = runDemo()
    expect(chargesIn(stdout), stdout + stderr).toEqual([1, 1, 1, 1, 1, 1, 1])
    expect(stdout).toMatch(/^order-6 +\| completed \| 2 /m)
    expect(stdout).toMatch(/^order-7 +\| completed \| 2 /m)
    expect(status).toBe(0)
  })

  test('the control: without it, the same run charges more than once and says so', () => {
    const { status, stdout } = runDemo('--off')
    expect(chargesIn(stdout)[0], stdout).toBe(10)
    expect(chargesIn(stdout).at(-1), 'charged again after the kill').toBe(2)
    expect(stdout).toContain('NOT charged exactly once')
    expect(status).toBe(1)
  })
})
