import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { createProvider } from '../src/provider.ts'

const shop = join(import.meta.dirname, '../src/shop.ts')
const folder = mkdtempSync(join(tmpdir(), 'retryproof-derived-key-'))
const started: ChildProcess[] = []
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await Promise.all(started.splice(0).map(kill))
  rmSync(folder, { recursive: true, force: true })
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function startShop(provider: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', shop], {
    env: { ...process.env, RECORDS: join(folder, 'records.db'), PROVIDER: provider, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, url: `http://127.0.0.1:${JSON.parse(line).port}/payments` }
}

test('a shop that is killed between the charge and its record charges once, on its second attempt', async () => {
  let running: ChildProcess | undefined
  const { app, charges, asked } = createProvider((count) => {
    if (count === 1) running?.kill('SIGKILL')
  })
  const provider = createServer(app).listen(0, '127.0.0.1')
  servers.push(provider)
  await once(provider, 'listening')
  const providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  const pay = (url: string) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user': 'ann', 'idempotency-key': 'pay-1' },
      body: '{"amount":100}',
    })

  const first = await startShop(providerUrl)
  running = first.child
  await expect(pay(first.url)).rejects.toThrow()

  const second = await startShop(providerUrl)
  const answer = await pay(second.url)
  expect(answer.status).toBe(201)
  expect(await answer.json()).toEqual({ charge: 'ch_1', attempt: 2 })
  expect(asked()).toBe(2)
  expect([...charges.values()]).toEqual([{ id: 'ch_1', amount: 100 }])
}, 30_000)
