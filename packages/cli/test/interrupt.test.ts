/** Ctrl-C and SIGTERM end a command whose server does not answer. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { exitCodes } from '../src/exit-codes.ts'
import { openTarget } from '../src/target/open-target.ts'
import { done, run } from './terminal.ts'

const missing = await unavailable('redis')

test.skipIf(missing)('a command against a server that is frozen ends at the first Ctrl-C', async () => {
  const redis = await startService('redis')
  redis.nodes[0]?.signal('SIGSTOP')
  const ctrlC = new AbortController()
  const listing = run(['list', '--store', redis.url], { interrupted: ctrlC.signal })
  ctrlC.abort()
  expect((await listing).exitCode).toBe(exitCodes.interrupted)
  await redis.stop()
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends a process whose server is silent',
  { timeout: 60_000 },
  async (signal) => {
    const silent = createServer()
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as { port: number }
    const bin = new URL('../src/bin.ts', import.meta.url).pathname
    const args = ['--import', 'tsx', bin, 'list', '--store', `redis://127.0.0.1:${port}`]
    const connected = once(silent, 'connection')
    const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: 'ignore' })
    const ended = once(child, 'exit')
    const [socket] = await connected
    child.kill(signal)
    expect(await ended).toEqual([exitCodes.interrupted, null])
    socket.destroy()
    silent.close()
  },
)

test('Ctrl-C at a question ends with 130, and changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-cli-ctrl-c-'))
  const at = ['--store', `sqlite:${join(folder, 'records.db')}`]
  await done(['migrate', ...at])
  const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
  const target = await openTarget(io, { store: at[1] ?? '', namespace: 'shop' })
  await target.instance().run({ operation: 'charge', scope: 'a', key: 'k' }, () => 1)
  const [{ key }] = JSON.parse((await done(['list', '--json', ...at])).out).records
  for (const args of [
    ['forget', key],
    ['erase', '--namespace', 'shop', '--scope', 'a'],
  ]) {
    const ctrlC = new AbortController()
    const confirm = async () => {
      ctrlC.abort()
      return false
    }
    const ran = await run([...args, ...at], { canAsk: true, confirm, interrupted: ctrlC.signal })
    expect([ran.exitCode, ran.out]).toEqual([exitCodes.interrupted, ''])
  }
  expect(await target.instance().inspect({ key })).toMatchObject({ value: 1 })
  await target.close()
  rmSync(folder, { recursive: true })
})

test('Ctrl-C ends watch, also where the server does not answer', async () => {
  const silent = createServer((socket) => socket.resume())
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as { port: number }
  const connected = once(silent, 'connection')
  const ctrlC = new AbortController()
  const watching = run(['watch', '--store', `redis://127.0.0.1:${port}`], { interrupted: ctrlC.signal })
  const [socket] = await connected
  ctrlC.abort()
  expect((await watching).exitCode).toBe(exitCodes.interrupted)
  socket.destroy()
  silent.close()
})
