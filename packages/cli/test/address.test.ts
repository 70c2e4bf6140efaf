/** Addresses that cannot be read, and servers that cannot be reached. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { done, run } from './terminal.ts'

const folder = mkdtempSync(`${tmpdir()}/retryproof-cli-address-`)
afterAll(() => rmSync(folder, { recursive: true }))

test.each(['postgres', 'mysql', 'redis', 'mongodb'])(
  'a password of %s that is not encoded is told, not shown',
  async (scheme) => {
    const address =
      scheme === 'mongodb' ? 'mongodb://op:hunter2/x@127.0.0.1/db' : `${scheme}://op:hunter2#x@127.0.0.1/db`
    const { exitCode, out, err } = await run(['stats', '--store', address])
    expect([exitCode, out]).toEqual([exitCodes.usage, ''])
    expect(err).toMatch(/cannot be read: .*%40/)
    expect(err).not.toContain('hunter2')
  },
)

test('an address without a scheme is told in words that are whole', async () => {
  expect((await run(['stats', '--store', 'redis'])).err).toMatch(
    /begin with one of postgres: .* redis: rediss: sqlite:/,
  )
})

test('a variable that is empty names no store, and one with a line end does', async () => {
  const at = { env: { RETRYPROOF_STORE: ' ' } }
  expect((await run(['stats'], at)).err).toContain('No store is named')
  await done(['migrate'], { env: { RETRYPROOF_STORE: `sqlite:${folder}/records.db\n` } })
})

test.each([
  ['sqlite:', exitCodes.usage, /names no file/],
  [`sqlite:${folder}`, exitCodes.unavailable, /cannot be opened/],
])('%s is no file', async (store, code, message) => {
  const { exitCode, err } = await run(['stats', '--store', store])
  expect([exitCode, err]).toEqual([code, expect.stringMatching(message)])
})

test.each([
  ['postgres', 'purge'],
  ['mysql', 'purge'],
  ['redis', 'migrate'],
  ['redis', 'check'],
  ['redis', 'stats'],
])('a %s that is down keeps %s from its work, and is named', async (scheme, command) => {
  const { exitCode, out, err } = await run([command, '--store', `${scheme}://127.0.0.1:1/shop`], { isTerminal: true })
  expect([exitCode, out]).toEqual([exitCodes.unavailable, ''])
  expect(err).toContain('ECONNREFUSED')
})

test('a server that accepts a connection and never answers is given up', { timeout: 60_000 }, async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket))
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as { port: number }
  const ran = await Promise.all(
    ['stats', 'list', 'check'].map((command) => run([command, '--store', `redis://127.0.0.1:${port}`])),
  )
  expect(ran.map(({ exitCode }) => exitCode)).toEqual([5, 5, 5])
  for (const socket of sockets) socket.destroy()
  silent.close()
})
