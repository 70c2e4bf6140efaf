import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checks } from '../src/store/checks.ts'

const clauses = Array.from({ length: 24 }, (_, index) => `C${index + 1}`)

test('every clause of the contract has a check of its own, by its number', () => {
  for (const clause of clauses) {
    expect(
      checks.some(({ id }) => id === clause || id.startsWith(`${clause}-`)),
      clause,
    ).toBe(true)
  }
})

test('every check says which clauses it is for, and these exist', () => {
  for (const { id, clauses: ownClauses } of checks) {
    const [own = ''] = id.split('-')
    if (clauses.includes(own)) expect(ownClauses, id).toContain(own)
    for (const clause of ownClauses) expect(clauses, id).toContain(clause)
  }
})

test('no two checks have the same id', () => {
  expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length)
})

test('the README says what each check finds', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const { id } of checks) expect(readme).toContain(`\`${id}\``)
})
