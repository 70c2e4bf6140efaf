// Server CPU per request, bare and guarded, in the same run: `pnpm http [--rounds=5] [--requests=4000] [framework …]`.
import { fork } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, requests: { type: 'string', default: '4000' } },
})
const [rounds, requests] = [Number(values.rounds), Number(values.requests)]
const frameworks = positionals.length > 0 ? positionals : ['express', 'hono']
const CONNECTIONS = 16

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const order = Array.from({ length: 20 }, (_, index) => ({ sku: `sku-${index}`, quantity: index, price: index * 100 }))
const body = JSON.stringify({ amount: 100, items: order })

// plain JavaScript is measured, as it is published: a loader that compiles on the fly would cost more than we do
const folder = await mkdtemp(join(tmpdir(), 'retryproof-bench-'))
const bundle = join(folder, 'server.mjs')
await symlink(here('../node_modules'), join(folder, 'node_modules'))
await build({
  entryPoints: [here('server.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['express', 'hono', '@hono/node-server'],
  logLevel: 'warning',
})

async function start(framework, variant) {
  const child = fork(bundle, [framework, variant])
  const reply = () => new Promise((resolve) => child.once('message', resolve))
  const port = await reply()
  return {
    port,
    agent: new Agent({ keepAlive: true, maxSockets: CONNECTIONS }),
    stop: () => child.kill(),
    cpu() {
      child.send('cpu')
      return reply()
    },
  }
}

function send({ port, agent }, key) {
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Idempotency-Key': key,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ port, agent, method: 'POST', path: '/charges', headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode))
    })
    sent.on('error', reject).end(body)
  })
}

async function load(server, count, key) {
  let left = count
  const client = async () => {
    for (; left > 0; left--) {
      const status = await send(server, key())
      if (status !== 201) throw new Error(`was answered with ${status}`)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, client))
}

let keys = 0
const fresh = () => `key-${keys++}`
const same = () => 'the-same-key'

for (const framework of frameworks) {
  const servers = {}
  for (const variant of ['bare', 'floor', 'guarded']) servers[variant] = await start(framework, variant)
  const kinds = [
    ['bare', servers.bare, fresh],
    ['by hand, fresh', servers.floor, fresh],
    ['by hand, replay', servers.floor, same],
    ['guarded, fresh', servers.guarded, fresh],
    ['guarded, replay', servers.guarded, same],
  ]
  for (const variant of ['floor', 'guarded']) await send(servers[variant], same())
  for (const [, server, key] of kinds) await load(server, requests, key)
  const seen = new Map(kinds.map(([name]) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, server, key] of kinds) {
      await server.cpu()
      await load(server, requests, key)
      const { user, system } = await server.cpu()
      seen.get(name).push({ user: user / requests, all: (user + system) / requests })
    }
  }
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
  for (const [name, costs] of seen) {
    const told = ['all', 'user'].map((kind) => {
      const spent = costs.map((cost) => cost[kind])
      const ratio = median(spent.map((cost, round) => cost / seen.get('bare')[round][kind]))
      return `${kind} ${median(spent).toFixed(0).padStart(4)} µs  × ${ratio.toFixed(2)}`
    })
    console.log(`${framework.padEnd(8)} ${name.padEnd(15)} ${told.join('   ')}`)
  }
  for (const server of Object.values(servers)) server.stop()
}
await rm(folder, { recursive: true })
process.exit()
