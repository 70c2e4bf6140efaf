/** `purge`: its progress, and that it goes on where it was interrupted. */
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { progress } from '../src/commands/purge.ts'
import { exitCodes } from '../src/exit-codes.ts'
import { fresh } from './stores.ts'
import { done, run } from './terminal.ts'

test('the progress says how many of how many, how fast, and how long the others take', () => {
  expect(progress(250, 1000, 5000)).toBe('250 of 1000 removed (25 %), 50 a second, 15s left')
  expect(progress(0, 1000, 0)).toBe('0 of 1000 removed (0 %), 0 a second')
  expect(progress(1000, undefined, 2000)).toBe('1000 removed, 500 a second')
  // more have expired since they were counted
  expect(progress(1200, 1000, 2000)).toBe('1200 removed, 600 a second')
})

const postgres = await service('postgres')
describe.skipIf(postgres.missing)('on PostgreSQL', () => {
  test('an interrupted purge says so, and another one removes the others', async () => {
    const table = fresh()
    const at = ['--store', postgres.url, '--table', table]
    await done(['migrate', ...at])
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    await client.query(`INSERT INTO ${table} (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at)
      SELECT 'shop.charge.' || encode(sha256(n::text::bytea), 'hex'), n, 'o', 'f', 'completed', 1, false, 1, 1
      FROM generate_series(1, 50) n`)
    await client.end()

    const interrupted = new AbortController()
    const shown: string[] = []
    const first = await run(['purge', '--batch', '10', ...at], {
      isTerminal: true,
      interrupted: interrupted.signal,
      writeError(text) {
        shown.push(text)
        if (text.includes('20 of')) interrupted.abort()
      },
    })
    expect(first).toMatchObject({
      exitCode: exitCodes.interrupted,
      out: expect.stringMatching(/^Removed 20 .*run it again/),
    })
    expect(shown.join('')).toMatch(/20 of 50 removed \(40 %\), \d+ a second, .* left/)
    expect((await done(['purge', '--batch', '10', ...at])).out).toMatch(/^Removed 30 expired records in /)
  })
})
