/** The route handler in a real Next: built once, and served as in production. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'

const next = createRequire(import.meta.url).resolve('next/dist/bin/next')
/** Of a build, on a machine that has much else to do: alone it takes about 15 s. */
const BUILD_TIMEOUT_MS = 180_000
/** Next's processes take this as Vitest's own else, and build for development. */
const env: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_ENV: 'production',
  NEXT_TELEMETRY_DISABLED: '1',
  OPS_TOKEN: 'secret',
}

const provider = createServer((_request, response) => {
  if (held) held.push(response)
  else response.end()
})
/** The payments that the provider leaves waiting, where it does. */
let held: ServerResponse[] | undefined
let server: ChildProcess | undefined
let origin = ''

beforeAll(async () => {
  const built = await output(run(['build']), (child) => once(child, 'close'))
  if (built.code !== 0) throw new Error(`next build failed:\n${built.text}`)
  await once(provider.listen(0, '127.0.0.1'), 'listening')
  env.PROVIDER_URL = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  server = run(['start', '--port', '0', '--hostname', '127.0.0.1'])
  origin = await addressOf(server)
}, BUILD_TIMEOUT_MS)
afterAll(async () => {
  provider.closeAllConnections()
  provider.close()
  if (!server || server.exitCode !== null) return
  server.kill('SIGTERM')
  await once(server, 'close')
})

function run(args: readonly string[]): ChildProcess {
  const cwd = new URL('..', import.meta.url)
  return spawn(process.execPath, [next, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function output(child: ChildProcess, end: (child: ChildProcess) => Promise<unknown>) {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await end(child)
  return { code: child.exitCode, text }
}

/** The address at which it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(text) ?? []
      if (address && /ready/i.test(text)) resolve(address)
    })
    child.once('close', () => reject(new Error(`next start ended:\n${text}`)))
  })
}

async function charge(key: string, amount: number, user = 'ann') {
  const response = await fetch(`${origin}/charges`, {
    method: 'POST',
    headers: { 'Idempotency-Key': key, 'Content-Type': 'application/json', 'X-User': user },
    body: JSON.stringify({ amount }),
  })
  return {
    status: response.status,
    location: response.headers.get('location'),
    type: response.headers.get('content-type'),
    bytes: Buffer.from(await response.arrayBuffer()),
    replayed: response.headers.get('idempotency-replayed'),
  }
}

const charges = async () => ((await (await fetch(`${origin}/charges`)).json()) as { charges: number }).charges

test('a POST that is sent again to Next runs once, and gets the same bytes', async () => {
  const before = await charges()
  const first = await charge('k1', 100)
  expect([first.status, first.replayed, first.location]).toEqual([201, null, `/charges/${before + 1}`])
  expect(await charge('k1', 100)).toEqual({ ...first, replayed: 'true' })
  expect(await charges()).toBe(before + 1)
})

test('of many at once on Next one runs, and the others are told to come again or given its answer', async () => {
  const before = await charges()
  const answers = await Promise.all(Array.from({ length: 20 }, () => charge('k2', 100)))
  expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
  expect(await charges()).toBe(before + 1)
})

test('another amount under the key is refused by Next with 422, and another user has keys of their own', async () => {
  await charge('k3', 100)
  const before = await charges()
  expect(await charge('k3', 999)).toMatchObject({ status: 422, type: 'application/problem+json' })
  expect(await charge('k3', 100, 'bob')).toMatchObject({ status: 201, replayed: null })
  expect(await charges()).toBe(before + 1)
})

test('the console stands in Next: its pages, its form and its files', async () => {
  const headers = { authorization: 'Bearer secret' }
  expect((await fetch(`${origin}/idempotency`)).status).toBe(401)
  const overview = await fetch(`${origin}/idempotency`, { headers })
  const page = await overview.text()
  expect(overview.headers.get('content-security-policy')).toContain("default-src 'none'")
  const files = [...page.matchAll(/(?:href|src)="(\/idempotency\/[^"]+\.(?:css|js|svg)[^"]*)"/g)].map(
    ([, path]) => path,
  )
  expect(files).not.toEqual([])
  for (const path of files) expect((await fetch(`${origin}${path}`, { headers })).status).toBe(200)

  await charge('k4', 100)
  const list = await (await fetch(`${origin}/idempotency/records?state=completed`, { headers })).text()
  const [, key = ''] = /\/idempotency\/records\/(payments\.post-charges\.[0-9a-f]{64})/.exec(list) ?? []
  const path = `${origin}/idempotency/records/${key}/forget`
  const asked = await fetch(path, { headers })
  const cookie = asked.headers.get('set-cookie')?.split(';')[0] ?? ''
  const fields = [...(await asked.text()).matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
  const body = new URLSearchParams(fields.map(([, name = '', value = '']) => [name, value]))
  body.set('certain', 'yes')
  const sent = await fetch(path, { method: 'POST', body, headers: { ...headers, cookie, origin }, redirect: 'manual' })
  expect([sent.status, sent.headers.get('location')]).toEqual([303, '/idempotency/records?done=forget'])
  expect((await fetch(`${origin}/idempotency/records/${key}`, { headers })).status).toBe(404)
})

test('SIGTERM: the payment under way is answered, new ones are refused, and the process ends', async () => {
  held = []
  const ended = once(server as ChildProcess, 'exit')
  const underWay = charge('k5', 100)
  await expect.poll(() => held?.length, { timeout: 10_000 }).toBe(1)
  let said = ''
  server?.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  server?.kill('SIGTERM')
  await expect.poll(() => said, { timeout: 10_000 }).toContain('draining')
  const refused = async () => (await charge('k6', 100).catch(() => ({ status: 'no connection' }))).status
  await expect.poll(refused, { timeout: 10_000 }).toBeOneOf([503, 'no connection'])
  expect(held).toHaveLength(1)
  held[0]?.end()
  expect((await underWay).status).toBe(201)
  expect(await ended).toEqual([143, null])
}, 60_000)
