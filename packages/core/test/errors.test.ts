import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as core from '../src/index.ts'

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
const classes = Object.values(core).filter(
  (value): value is typeof core.IdempotencyError =>
    typeof value === 'function' && value.prototype instanceof core.IdempotencyError,
)

test('docs/errors.md has one heading for each code, and names its class', () => {
  const source = readFileSync(new URL('../src/errors.ts', import.meta.url), 'utf8')
  const codes = [...source.matchAll(/^ {2}(IDEMPOTENCY_[A-Z_]+): \w+$/gm)].map(([, code]) => code)
  const sections = page.split(/^## /m).slice(1)
  expect(codes.length).toBeGreaterThan(15)
  const headings = sections.map((section) => String(section.split('\n')[0]))
  // those of @retryproof/client stand on the same page
  const ofCore = headings.filter((heading) => !heading.startsWith('INTENT_'))
  expect(ofCore.toSorted()).toEqual(codes.toSorted())
  expect(classes).toHaveLength(codes.length)
  for (const { name } of classes) expect(page).toContain(`\`${name}\``)
})
