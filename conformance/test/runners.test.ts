import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { checks } from '../src/store/checks.ts'

test('the checks run under node:test', { timeout: 60_000 }, async () => {
  const fixture = fileURLToPath(new URL('fixtures/node-test.ts', import.meta.url))
  const args = ['--import', 'tsx', '--test', '--test-reporter=tap', fixture]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, FC_RUNS: '20', FC_HISTORIES: '10' },
  })
  const count = (name: string) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(stdout)?.[1])
  expect(count('fail')).toBe(0)
  expect(count('pass') + count('skipped')).toBe(checks.length)
  expect(stdout).toContain("# SKIP does not apply: capabilities.clock is 'host'")
})
