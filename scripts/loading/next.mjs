// Serves the application that Next has built, and sends it one payment twice.
import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

const probe = createServer().listen(0)
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
await once(probe, 'close')

const next = spawn('node_modules/.bin/next', ['start', '-p', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
try {
  await ready(next)
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
  ok(page.includes('Pay'), 'the page lacks its button')
  const pay = () =>
    fetch(`http://127.0.0.1:${port}/charges`, { method: 'POST', headers: { 'Idempotency-Key': 'k' }, body: '{}' })
  const [first, second] = [await pay(), await pay()]
  equal(first.status, 201)
  equal(second.headers.get('idempotency-replayed'), 'true')
  equal(await second.text(), await first.text())
} finally {
  next.kill()
}

async function ready({ stdout }) {
  for await (const text of stdout.setEncoding('utf8')) if (text.includes('Ready')) return
  throw new Error('Next has ended')
}
