/** Configurations that are wrong, or meant for something else. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { done, run } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-cli-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const configured = join(import.meta.dirname, 'fixtures', 'retryproof.config.ts')

test('an instance is not taken for the namespace of another', { timeout: 120_000 }, async () => {
  const erase = ['erase', '--scope', 'a', '--yes', '--config', configured]
  const other = await run([...erase, '--namespace', 'other'])
  expect([other.exitCode, other.out]).toEqual([exitCodes.usage, ''])
  expect(other.err).toContain("the namespace 'configured'")
  expect((await done([...erase, '--namespace', 'configured', '--json'])).out).toContain('"erased": 1')
})

test('a password in a configuration that is no JSON stays there', async () => {
  const config = file('broken.json', '{ "store": "postgres://shop:hunter2@db/shop", }')
  const ran = await run(['stats', '--config', config])
  expect([ran.exitCode, ran.out]).toEqual([exitCodes.usage, ''])
  expect(ran.err).not.toMatch(/hunter2|shop:/)
})

test.each([
  ['null.json', 'null'],
  ['list.json', '[]'],
  ['text.json', '"postgres"'],
  ['empty.mjs', ''],
  ['function.mjs', 'export default () => 1'],
  ['undefined.mjs', 'export const idempotency = undefined'],
  ['promise.mjs', 'export const idempotency = Promise.resolve({})'],
])('%s exports no instance, and says so', async (name, text) => {
  const ran = await run(['stats', '--config', file(name, text)])
  expect([ran.exitCode, ran.out]).toEqual([exitCodes.usage, ''])
  expect(ran.err).toContain('exports no instance')
})

test('the command ends although a configuration leaves something open', { timeout: 120_000 }, () => {
  const config = file(
    'open.mjs',
    `setInterval(() => {}, 1000)
     export const idempotency = { namespace: 'shop', eraseScope() {}, count: async () => [] }`,
  )
  const bin = join(import.meta.dirname, '..', 'src', 'bin.ts')
  const ran = spawnSync(process.execPath, ['--import', 'tsx', bin, 'stats', '--config', config], {
    encoding: 'utf8',
    timeout: 100_000,
  })
  expect([ran.status, ran.stdout, ran.signal]).toEqual([0, 'No records.\n', null])
})
