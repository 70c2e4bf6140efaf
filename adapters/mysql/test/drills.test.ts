/** A small edition of each drill; `npm run drills` has the long ones. */
import { expect, test } from 'vitest'
import { crashDrill } from '../drills/crash.ts'
import { unknownCommitDrill } from '../drills/unknown-commit.ts'
import { onEachServer } from './fixtures.ts'

await onEachServer(({ title, url, version }) => {
  test(`C-11 COMMITs that are lost, with or without effect: one payment for each key (${title})`, {
    timeout: 120_000,
  }, async () => {
    const { wrong, failures, fates } = await unknownCommitDrill(url, 24)
    expect(wrong).toBe(0)
    // the drill saw what it looks for
    expect(failures).toBeGreaterThan(0)
    for (const [fate, count] of Object.entries(fates)) expect(count, fate).toBeGreaterThan(0)
  })

  test(`a server that is killed: one payment for each key (like ${title})`, { timeout: 120_000 }, async () => {
    const { wrong, failures, kills } = await crashDrill(version.includes('MariaDB') ? 'mariadb' : 'mysql', 1, 40)
    expect({ wrong, kills }).toEqual({ wrong: 0, kills: 1 })
    expect(failures).toBeGreaterThan(0)
  })
})
