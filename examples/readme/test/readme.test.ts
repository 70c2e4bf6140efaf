/** The first program of each README, as it stands there, but for its port: a request that is sent twice runs once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
/** Beside this file, so that the programs find their packages. */
const folders: string[] = []
const programs: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(
    programs.splice(0).map(async (program) => {
      if (program.exitCode !== null) return
      program.kill()
      await once(program, 'exit')
    }),
  )
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

test.each(['README.md', ...['express', 'fastify', 'hono', 'koa'].map((name) => `packages/${name}/README.md`)])(
  '%s',
  async (readme) => {
    const [, shown = ''] = readFileSync(join(root, readme), 'utf8').match(/^```ts\n([\s\S]*?)^```$/m) ?? []
    const port = await freePort()
    expect(shown).toContain('3000')
    const folder = mkdtempSync(join(import.meta.dirname, 'run-'))
    folders.push(folder)
    const file = join(folder, 'program.ts')
    writeFileSync(file, shown.replace('3000', String(port)))
    programs.push(
      spawn(process.execPath, ['--import', 'tsx', file], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] }),
    )

    const send = () =>
      fetch(`http://127.0.0.1:${port}/charges`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', 'x-user': 'ann', 'x-tenant': 'ann' },
        body: '{"amount":100}',
      })
    await expect
      .poll(
        () =>
          send().then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000, interval: 100 },
      )
      .toBe(201)
    const again = await send()
    expect(again.status).toBe(201)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await again.json()).toMatchObject({ charged: 100 })
  },
  30_000,
)
