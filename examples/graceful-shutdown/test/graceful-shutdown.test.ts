/** Each application gets SIGTERM while a payment is under way at a provider that takes its time. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { DRAIN_TIMEOUT_MS } from '../src/drain-timeout.ts'

const missing = await unavailable('postgres')

describe.skipIf(missing)('SIGTERM while a payment is under way', async () => {
  const postgres = await startService('postgres')
  const pool = new pg.Pool({ connectionString: postgres.url })
  const asked: ServerResponse[] = []
  const provider = createServer((_, response) => void asked.push(response))
  await once(provider.listen(0, '127.0.0.1'), 'listening')
  const env = {
    ...process.env,
    POSTGRES_URL: postgres.url,
    PROVIDER_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
    PORT: '0',
  }
  afterAll(async () => {
    provider.closeAllConnections()
    provider.close()
    await pool.end()
    await postgres.stop()
  })

  const folder = new URL('..', import.meta.url)

  /** Starts an application; `said` is what it has written. */
  async function start(
    command: readonly string[],
  ): Promise<{ child: ChildProcess; origin: string; said: () => string }> {
    const child = spawn(process.execPath, command, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const origin = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', () => {
        const [, found] = /listening at (\S+)/.exec(text) ?? []
        if (found) resolve(found)
      })
      child.once('close', () => reject(new Error(`The application ended: ${text}`)))
    })
    return { child, origin, said: () => text }
  }

  const pay = (origin: string, key: string) =>
    fetch(`${origin}/payments`, {
      method: 'POST',
      headers: { 'Idempotency-Key': key, 'Content-Type': 'application/json' },
      body: '{}',
    })

  test.each(['express', 'koa', 'hono', 'fastify', 'nest'])('%s', { timeout: 60_000 }, async (program) => {
    await pool.query('DROP TABLE IF EXISTS retryproof')
    asked.length = 0
    const { child, origin, said } = await start(['--import', 'tsx', `src/${program}.ts`])
    const ended = once(child, 'exit')
    const underWay = pay(origin, `${program}-1`)
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(1)

    child.kill('SIGTERM')
    await expect.poll(said, { timeout: 10_000 }).toContain('draining')
    // new work is refused by the drain, or by a server that listens no more; the provider is not asked again
    const refused = async () => (await pay(origin, `${program}-2`).catch(() => ({ status: 'no connection' }))).status
    await expect.poll(refused, { timeout: 10_000 }).toBeOneOf([503, 'no connection'])
    expect(asked).toHaveLength(1)
    expect(said()).not.toContain('pool ended')

    asked.pop()?.end(JSON.stringify({ id: 'ch_1' }))
    const response = await underWay
    expect([response.status, await response.json()]).toEqual([201, { id: 'ch_1' }])
    expect(await ended).toEqual(program === 'nest' ? [null, 'SIGTERM'] : [0, null])
    expect(said()).toContain('pool ended')
    const { rows } = await pool.query(`SELECT state FROM retryproof WHERE k LIKE 'payments.post-payments.%'`)
    expect(rows).toEqual([{ state: 'completed' }])
  })

  test('kubernetes.yaml: requests of the time in which a pod leaves its service are answered, and nothing is killed', {
    timeout: 60_000,
  }, async () => {
    const manifest = parse(await readFile(new URL('kubernetes.yaml', folder), 'utf8'))
    const { terminationGracePeriodSeconds, containers } = manifest.spec.template.spec
    const [{ command, lifecycle }] = containers
    const [preStop, seconds] = lifecycle.preStop.exec.command as [string, string]
    const graceMs = terminationGracePeriodSeconds * 1000
    expect(graceMs).toBeGreaterThan(Number(seconds) * 1000 + DRAIN_TIMEOUT_MS)

    asked.length = 0
    const [, ...args] = command as string[]
    const { child, origin, said } = await start(args)
    const ended = once(child, 'exit')
    const underWay = pay(origin, 'pod-1')
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(1)
    const stopping = promisify(execFile)(preStop, [seconds])
    // the service does not know yet that the pod is leaving
    const late = pay(origin, 'pod-2')
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(2)
    await stopping
    child.kill('SIGTERM')
    await expect.poll(said, { timeout: 10_000 }).toContain('draining')
    for (const response of asked.splice(0)) response.end(JSON.stringify({ id: 'ch_1' }))
    expect((await Promise.all([underWay, late])).map(({ status }) => status)).toEqual([201, 201])
    expect(await ended).toEqual([0, null])
    expect(said()).toContain('pool ended')
  })
})
