import { expect, test } from 'vitest'
import { bindingChecks } from '../src/http.ts'

const defects = [
  ...['IDJ 1', 'IDJ 2', 'IDJ 3', 'IDJ 6', 'IDJ 7', 'IDJ 8', 'IDJ 10', 'IDJ 11', 'IDJ 14', 'IDJ 15'],
  ...['NI 1', 'NI 2', 'NI 3', 'NI 4', 'NI 6', 'NI 7', 'NI 9', 'NI 10', 'NI 12'],
  ...['HI 4', 'HI 5', 'HI 6', 'HI 7', 'HI 9'],
  ...['NA 2', 'NA 3', 'NA 6', 'NA 7', 'NA 8'],
  ...['UI 3', 'UI 5', 'UI 6'],
  ...['EI 1', 'EI 2', 'EI 5', 'EI 6', 'EI 7'],
]

test('each defect of other libraries that any binding could have is looked for in every binding', () => {
  const found = new Set(bindingChecks.flatMap(({ peers = [] }) => peers))
  expect(defects.filter((id) => !found.has(id))).toEqual([])
})

test('no two checks of bindings have the same id', () => {
  const ids = bindingChecks.map(({ id }) => id)
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
})
