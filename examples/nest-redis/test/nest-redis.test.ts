/** Two processes of the application, and one Redis. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'

const redis = await service('redis')

describe.skipIf(redis.missing)(`NestJS in two processes, on ${redis.title}`, () => {
  const processes: ChildProcess[] = []
  let origins: string[] = []

  beforeAll(async () => {
    origins = await Promise.all([start(), start()])
  }, 60_000)
  afterAll(async () => {
    for (const child of processes.filter(({ exitCode }) => exitCode === null)) {
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })

  function start(): Promise<string> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, REDIS_URL: redis.url, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    processes.push(child)
    return new Promise((resolve, reject) => {
      let text = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        const [, origin] = /listening at (\S+)/.exec(text) ?? []
        if (origin) resolve(origin)
      })
      child.once('close', () => reject(new Error(`The application ended: ${text}`)))
    })
  }

  async function pay(origin: string | undefined, key: string, amount: number, user = 'ann') {
    const response = await fetch(`${origin}/payments`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user}`, 'Idempotency-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify({ amount }),
    })
    return {
      status: response.status,
      replayed: response.headers.get('idempotency-replayed'),
      body: await response.text(),
    }
  }

  async function payments(): Promise<number> {
    const answer = await fetch(`${origins[0]}/payments/count`, { headers: { Authorization: 'Bearer ann' } })
    return ((await answer.json()) as { payments: number }).payments
  }

  test('a payment that is sent again to the other process is made once, and has the same bytes', async () => {
    const [before, key] = [await payments(), randomUUID()]
    const first = await pay(origins[0], key, 100)
    expect([first.status, first.replayed]).toEqual([201, null])
    expect(await pay(origins[1], key, 100)).toEqual({ ...first, replayed: 'true' })
    expect(await payments()).toBe(before + 1)
  })

  test('of 40 at once on both processes one is made, and all get its answer', async () => {
    const [before, key] = [await payments(), randomUUID()]
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => pay(origins[index % 2], key, 100)))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
    expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1)
    expect(await payments()).toBe(before + 1)
  })

  test('a refusal is kept, another amount is refused, and another user has keys of their own', async () => {
    const key = randomUUID()
    for (const origin of origins) expect(await pay(origin, key, 5000)).toMatchObject({ status: 402 })
    expect((await pay(origins[1], key, 100)).status).toBe(422)
    expect(await pay(origins[1], key, 100, 'bob')).toMatchObject({ status: 201, replayed: null })
    expect((await pay(origins[0], key, 5000, '!')).status).toBe(401)
  })
})
