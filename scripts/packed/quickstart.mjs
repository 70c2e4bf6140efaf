// The README's program on PostgreSQL, as it stands there but for its port: an order that is sent twice is placed once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

const port = await freePort()
const shown = readFileSync('README.ts', 'utf8')
writeFileSync('app.mjs', shown.replace('listen(3000)', `listen(${port})`))
const app = spawn(process.execPath, ['app.mjs'], { stdio: 'inherit' })
try {
  await listening()
  const [first, again] = [await order(), await order()]
  const bodies = [await first.text(), await again.text()]
  const isReplay = again.headers.get('idempotency-replayed') === 'true' && bodies[0] === bodies[1]
  if (first.status !== 201 || again.status !== 201 || !isReplay) {
    throw new Error(`expected one order and its replay, got ${first.status} ${again.status} ${bodies}`)
  }
} finally {
  app.kill()
}

function order() {
  return fetch(`http://127.0.0.1:${port}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user': 'ann', 'idempotency-key': 'cart-7' },
    body: '{"item":"book"}',
  })
}

async function listening() {
  for (let tries = 0; tries < 200; tries++) {
    if (app.exitCode !== null) throw new Error('the program ended')
    if (await fetch(`http://127.0.0.1:${port}`).catch(() => null)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the program does not listen')
}

async function freePort() {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
