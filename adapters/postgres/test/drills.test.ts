/** A small edition of each drill. */
import { expect, test } from 'vitest'
import { crashDrill } from '../drills/crash.ts'
import { unknownCommitDrill } from '../drills/unknown-commit.ts'

test('what was acknowledged outlives SIGKILL of the server', { timeout: 120_000 }, async () => {
  const report = await crashDrill(2, 100, () => {})
  expect(report).toMatchObject({ kills: 2, lost: 0, tokensThatFell: 0 })
  expect(report.acknowledged).toBeGreaterThanOrEqual(200)
})

test('C-11 each key has one effect, whatever becomes of COMMIT and its answer', { timeout: 120_000 }, async () => {
  const report = await unknownCommitDrill(30)
  expect(report.wrong).toBe(0)
  expect(report.committed).toBeGreaterThan(0)
  expect(report.rolledBack).toBeGreaterThan(0)
})
