/** Texts of strangers in what the commands print: a terminal, a spreadsheet and a parser of JSON get what they expect. */
import { neutralizeJson } from '@retryproof/http/internal'
import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { csv, table } from '../src/output/rows.ts'

/** Escape sequences, marks of direction, separators of lines and joiners, among texts of every kind. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b[2J',
        '\u001b]0;t\u0007',
        '\u009b31m',
        '\u202e',
        '\u2066',
        '\u200d',
        '\u2028',
        '\r\n',
        '\t',
        '\ud800',
        '"',
        '=1+1',
      ),
    ),
  )
  .map((parts) => parts.join(''))

/** Characters that move the cursor, turn a line around, or end it. */
const dangerous = (text: string) =>
  text.match(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu)?.filter((each) => each !== '\n') ?? []

test('a table has one line for each row, and no character that acts on the terminal', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: hostile, state: hostile }), { maxLength: 5 }), (rows) => {
      const text = table(['key', 'state'], rows, { isTerminal: false, columns: 80 })
      expect(dangerous(text)).toEqual([])
      expect(text.split('\n')).toHaveLength(rows.length + 2)
    }),
  )
})

test('columns begin at one place, counted as a terminal shows them, and a narrow terminal gets blocks', () => {
  const rows = fc.array(fc.record({ key: hostile, state: fc.constant('§') }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(rows, fc.integer({ min: 20, max: 200 }), (rows, columns) => {
      const text = table(['key', 'state'], rows, { isTerminal: true, columns })
      expect(dangerous(text)).toEqual([])
      const lines = text.split('\n')
      const ends = lines.filter((line) => line.endsWith('§')).map((line) => stringWidth(line))
      expect(ends).toHaveLength(rows.length)
      expect(new Set(ends).size).toBe(1)
      if (!/^KEY +STATE/.test(text)) return
      for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
    }),
  )
})

test('CSV has one line for each row, and no cell that a spreadsheet runs', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: hostile, state: hostile }), { maxLength: 5 }), (rows) => {
      const lines = csv(['key', 'state'], rows).split('\r\n')
      expect(lines).toHaveLength(rows.length + 2)
      for (const line of lines.slice(1)) {
        expect(dangerous(line)).toEqual([])
        expect(line).not.toMatch(/^"?[=+\-@]/)
      }
    }),
  )
})

test('JSON is the same value, and has no such character either', () => {
  fc.assert(
    fc.property(fc.dictionary(hostile, hostile), (value) => {
      const json = neutralizeJson(JSON.stringify(value, null, 2))
      expect(dangerous(json)).toEqual([])
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
