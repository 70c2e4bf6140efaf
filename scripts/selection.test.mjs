// A script that is asked for what it does not know says so, and runs nothing.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ask = (script, ...words) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...words], { encoding: 'utf8' })

for (const script of ['first-minute.mjs', 'loading.mjs', 'matrix.mjs']) {
  test(`${script} refuses an unknown flag with its usage`, () => {
    const { status, stdout, stderr } = ask(script, '--lst')
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, /Unknown option '--lst'/)
    assert.match(stderr, /usage: npm run .*\[--list\].*\[pattern\]/)
  })

  test(`${script} explains itself`, () => {
    const { status, stderr } = ask(script, '--help')
    assert.equal(status, 0)
    assert.match(stderr, /^usage: npm run/)
  })
}

// the list of the matrix asks the registry
for (const script of ['first-minute.mjs', 'loading.mjs'])
  test(`${script} refuses a pattern that matches nothing`, () => {
    const { status, stdout, stderr } = ask(script, 'no such thing')
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, /^Nothing matches 'no such thing'/)
  })
