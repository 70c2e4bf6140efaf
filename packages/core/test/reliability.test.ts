/** docs/reliability.md says which test shows what; here is whether those tests are there. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROWS = 20
const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')
const page = read('docs/reliability.md')
const rows = [...page.matchAll(/^\| (C-\d\d) \|.*\| ([^|]*) \|$/gm)].map(([, id = '', shownBy = '']) => ({
  id,
  files: [...shownBy.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file = '']) => file),
}))
/** Files that a row names only as a second witness: their titles are their own. */
const witnesses = ['examples/transactions/test/steps.test.ts']

test('docs/reliability.md has a row for each failure, once', () => {
  const ids = Array.from({ length: ROWS }, (_, index) => `C-${String(index + 1).padStart(2, '0')}`)
  expect(rows.map(({ id }) => id)).toEqual(ids)
})

test.each(rows)('$id is in a title of each test that is named for it', ({ id, files }) => {
  expect(files.length).toBeGreaterThan(0)
  for (const file of files.filter((each) => !witnesses.includes(each))) {
    // a title begins with the ids of its rows
    expect(read(file), file).toMatch(new RegExp(`['"\`](?:C-\\d\\d )*${id} `))
  }
})

test('every file that the page names is there', () => {
  for (const [, path = ''] of page.matchAll(/`((?:packages|examples|adapters)\/[^`]+)`/g)) {
    expect(existsSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url))), path).toBe(true)
  }
})
