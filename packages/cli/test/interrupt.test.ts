/** Ctrl-C and SIGTERM end a command whose server does not answer. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { exitCodes } from '../src/exit-codes.ts'
import { run } from './terminal.ts'

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
