/** Records that a stranger has written by hand, under every command, in terminals of every width and in pipes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { done, run } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-hostile-'))
const file = join(folder, 'records.db')
const store = `sqlite:${file}`
await done(['migrate', '--store', store])
const database = new Database(file)
afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const insert =
  database.prepare(`INSERT INTO retryproof (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at, result)
  VALUES (?, 1, ?, ?, ?, 1, 0, 0, 9000000000000000, ?)`)

const piece = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '\u001b[2J',
    '\u009b31m',
    '\u202e',
    '\u2067',
    '\u0007',
    '\r\n',
    '=1+1',
    '漢字',
    'שלום',
    '<script>',
    '👨‍👩‍👧',
    'e\u0301',
  ),
)
const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('').replaceAll('\0', '').toWellFormed())
const records = fc.array(
  fc.record({
    namespace: fc.oneof(fc.constant('shop'), text),
    operation: text,
    state: fc.constantFrom('in_progress', 'released', 'parked', 'completed', 'failed'),
    result: fc.uint8Array({ maxLength: 50 }),
  }),
  { minLength: 1, maxLength: 5 },
)

/** Characters that move the cursor, turn a line around, or end it. */
const dangerous = (printed: string) =>
  printed.match(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu)?.filter((each) => each !== '\n' && each !== '\r') ?? []

test('no command prints a character that acts on a terminal, and none fails for a reason that it does not know', async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.integer({ min: 20, max: 120 }), fc.boolean(), async (made, columns, isTerminal) => {
      database.exec('DELETE FROM retryproof')
      const keys = made.map(({ namespace, operation, state, result }, index) => {
        const key = `${namespace}.${operation}.${String(index).padStart(64, '0')}`
        insert.run(key, operation, operation, state, result)
        return key
      })
      const [key = ''] = keys
      for (const args of [
        ['list'],
        ['list', '--csv'],
        ['list', '--json'],
        ['list', '--limit', '1'],
        ['list', '--expired', '--stuck', '1s'],
        ['stats'],
        ['stats', '--csv'],
        ['stats', '--json'],
        ['inspect', key],
        ['inspect', key, '--json'],
        ['resolve', key, '--rerun', '--yes'],
        ['erase', '--namespace', 'shop', '--scope', key, '--yes'],
        ['forget', key, '--yes'],
      ]) {
        // a key that begins like an option is one to the parser
        const { exitCode, out, err } = await run([...args, '--store', store], { columns, isTerminal })
        expect([args, dangerous(out + err)]).toEqual([args, []])
        expect([args, exitCode]).toEqual([args, expect.toBeOneOf([0, 2, 3, 6])])
      }
    }),
    { numRuns: 30 },
  )
}, 60_000)
