import fc from 'fast-check'
import { expect, it } from 'vitest'
import { changedFields, type HeaderField, headerValues } from '../src/index.ts'

const names = ['link', 'vary', 'etag']
const fields = fc.array(fc.tuple(fc.constantFrom('Link', 'link', 'Vary', 'etag'), fc.constantFrom('a', 'b', 'c')), {
  maxLength: 6,
})

it('a replay that takes the place of fields of before has the values that the first answer had', () => {
  fc.assert(
    fc.property(fields, fields, (answer: HeaderField[], before: HeaderField[]) => {
      const changed = changedFields(answer, before)
      for (const name of names) {
        const values = headerValues(answer, name)
        const recorded = headerValues(changed, name)
        const replayed = recorded.length > 0 ? recorded : headerValues(before, name)
        // a field that a handler removes has no values to record
        if (values.length > 0) expect(replayed).toEqual(values)
      }
    }),
  )
})

it('a field that nobody changed is not recorded', () => {
  fc.assert(
    fc.property(fields, (before: HeaderField[]) => {
      expect(changedFields(before, before)).toEqual([])
    }),
  )
})

it('the type of a body is recorded with it, whoever set it', () => {
  const typed: HeaderField[] = [
    ['content-type', 'text/csv'],
    ['Vary', 'Origin'],
  ]
  expect(changedFields(typed, typed)).toEqual([['content-type', 'text/csv']])
})
