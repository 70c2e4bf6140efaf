/** Configurations that are wrong, or meant for something else. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

test.each([
  ['throws.mjs', 'throw new Error("SECRET is missing")', 'SECRET is missing'],
  ['rejects.mjs', 'export default Promise.reject(new Error("no vault"))', 'no vault'],
  ['broken.mjs', 'export const = 1', ''],
])('%s cannot be loaded: the file is named', async (name, text, reason) => {
  const ran = await run(['stats', '--config', file(name, text)])
  expect([ran.exitCode, ran.out]).toEqual([exitCodes.usage, ''])
  expect(ran.err).toMatch(new RegExp(`${name} cannot be loaded: .*${reason}`))
})

test.each([
  ['{ "store": "sqlite:x.db", "namespaces": "shop" }', "'namespaces'"],
  ['{ "store": 5 }', "'store'"],
  ['{ "url": "sqlite:x.db" }', "'url'"],
])('JSON with a member that would be left out is refused: %s', async (text, member) => {
  const ran = await run(['stats', '--config', file('members.json', text)])
  expect([ran.exitCode, ran.err]).toEqual([exitCodes.usage, expect.stringContaining(member)])
})

test.each(['mts', 'cts', 'cjs'])(
  'retryproof.config.%s is found, and its instance and store may be promises',
  async (ending) => {
    const cwd = join(folder, ending)
    mkdirSync(cwd)
    const own = "{ namespace: 'shop', eraseScope() {}, count: async () => [] }"
    const store = '{ capabilities: {}, get: async () => null, purge: async () => 0 }'
    const config = { idempotency: `Promise.resolve(${own})`, store: `Promise.resolve(${store})` }
    const text = Object.entries(config).map(([name, value]) =>
      ending === 'cjs' ? `exports.${name} = ${value}\n` : `export const ${name} = ${value}\n`,
    )
    writeFileSync(join(cwd, `retryproof.config.${ending}`), text.join(''))
    expect((await done(['stats'], { cwd })).out).toBe('No records.\n')
    expect((await done(['purge'], { cwd })).out).toMatch(/^Removed 0/)
  },
)

test('two stores at once, or a table of an instance, are refused', async () => {
  const config = [
    'stats',
    '--config',
    file('one.mjs', "export const idempotency = { namespace: 'shop', eraseScope() {} }"),
  ]
  for (const more of [
    ['--store', 'sqlite:x.db'],
    ['--table', 't'],
  ])
    expect([more, (await run([...config, ...more])).exitCode]).toEqual([more, exitCodes.usage])
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
