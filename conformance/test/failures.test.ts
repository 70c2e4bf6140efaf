import { describe, expect, test } from 'vitest'
import { checks } from '../src/store/checks.ts'
import { settings } from '../src/store/tools/settings.ts'
import { gallery } from './gallery/gallery.ts'

/** Tests the message of a check that rejects a store. */
async function complaint(id: string, name: string): Promise<string> {
  const check = checks.find((other) => other.id === id)
  const broken = gallery.find((other) => other.name === name)
  if (!check || !broken) throw new Error('no such check, or no such store')
  const error: unknown = await check.run(broken.harness()).catch((reason: unknown) => reason)
  if (!(error instanceof Error)) throw new Error('the store was not rejected')
  return error.message
}

describe('a failure says', () => {
  test('what was called before, what was expected, what was answered, and the seed', async () => {
    const message = await complaint('sequences', 'takeover keeps the token')
    expect(message).toContain('begin did not answer as the contract says, after')
    expect(message).toMatch(/ {2}\d+ ms: …\w{6} begin \{"owner":/)
    expect(message).toMatch(/expected \{"outcome":"acquired".*\nbut got {2}\{"outcome":"acquired"/)
    expect(message).toMatch(new RegExp(`run \\d+ of ${settings.runs}, .*FC_SEED=${settings.seed}\\b`))
  })

  test('which calls no order explains', async () => {
    const message = await complaint('C1-first-arrival', 'reads, then writes')
    expect(message).toMatch(/no order of these calls .*\n {2}0-\d+ client 0: begin/)
    expect(message).toMatch(/the longest order that could be explained has \d+ of \d+ calls/)
  })

  test('the seed of a history', async () => {
    const message = await complaint('C18', 'forgets are read, then written')
    expect(message).toContain(`FC_SEED=${settings.seed}`)
  })
})
