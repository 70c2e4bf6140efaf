/** An action of React Router in framework mode: built once, and served as in production. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ServerType, serve } from '@hono/node-server'
import { createRequestHandler, type ServerBuild } from 'react-router'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** Of a build, on a machine that has much else to do: alone it takes about 6 s. */
const BUILD_TIMEOUT_MS = 120_000
const app = fileURLToPath(new URL('react-router', import.meta.url))

let server: ServerType | undefined
let url = ''

beforeAll(async () => {
  const manifest = createRequire(import.meta.url).resolve('@react-router/dev/package.json')
  const env = { ...process.env, NODE_ENV: 'production' }
  await promisify(execFile)(process.execPath, [join(dirname(manifest), 'bin.js'), 'build'], { cwd: app, env })
  const build = (await import(join(app, '.cache/build/server/index.js'))) as ServerBuild
  const handle = createRequestHandler(build, 'production')
  const options = { fetch: (request: Request) => handle(request), port: 0, hostname: '127.0.0.1' }
  url = await new Promise((resolve) => {
    server = serve(options, ({ port }) => resolve(`http://127.0.0.1:${port}/charges`))
  })
}, BUILD_TIMEOUT_MS)
afterAll(() => {
  server?.close()
})

async function charge(key: string, amount: number) {
  const headers = { 'Idempotency-Key': key, 'Content-Type': 'application/json', 'X-User': 'ann' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ amount }) })
  const [location, type, replayed] = ['location', 'content-type', 'idempotency-replayed'].map((name) =>
    response.headers.get(name),
  )
  return { status: response.status, location, type, replayed, bytes: Buffer.from(await response.arrayBuffer()) }
}

const charges = async () => ((await (await fetch(url)).json()) as { charges: number }).charges

test('a POST that is sent again to React Router runs once, and gets the same bytes', async () => {
  const first = await charge('k1', 100)
  expect(first).toMatchObject({ status: 201, replayed: null, location: '/charges/1' })
  expect(await charge('k1', 100)).toEqual({ ...first, replayed: 'true' })
  expect(await charges()).toBe(1)
})

test('of many at once on React Router one runs, and another amount under its key is refused with 422', async () => {
  const before = await charges()
  const answers = await Promise.all(Array.from({ length: 20 }, () => charge('k2', 100)))
  expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
  expect(await charge('k2', 999)).toMatchObject({ status: 422, type: 'application/problem+json' })
  expect(await charges()).toBe(before + 1)
})
