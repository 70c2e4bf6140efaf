// Server CPU per request, bare, by hand, by a peer and by ours, in the same run: `npm run bench -- http [--quick] [framework …]`.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { bundled } from '../bundle.mjs'
import { startServer } from '../served.mjs'
import { load } from './client.mjs'

const all = ['express', 'fastify', 'hono', 'koa', 'nest']
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    requests: { type: 'string' },
  },
})
const rounds = Number(values.rounds ?? (values.quick ? 3 : 7))
const requests = Number(values.requests ?? (values.quick ? 1500 : 4000))
const frameworks = positionals.length > 0 ? positionals : all
const CONNECTIONS = 16
/** Until code is compiled. */
const WARM_UP = 5000

const order = Array.from({ length: 20 }, (_, index) => ({ sku: `sku-${index}`, quantity: index, price: index * 100 }))
const body = JSON.stringify({ amount: 100, items: order })

const { file, drop } = await bundled('http/server.ts')

/** Sends requests to the guarded route of a server. */
const send = ({ port }, count, key, connections = CONNECTIONS) =>
  load({ port, connections, count, path: '/charges', body, key })

let keys = 0
const fresh = () => `key-${keys++}`
const same = () => 'the-same-key'

async function measure(framework) {
  const servers = {}
  for (const variant of ['bare', 'floor', 'peer', 'ours'])
    servers[variant] = await startServer(file, [framework, variant])
  const kinds = [
    ['bare', servers.bare, fresh],
    ...['floor', 'peer', 'ours'].flatMap((variant) => [
      [`${variant} fresh`, servers[variant], fresh],
      [`${variant} replay`, servers[variant], same],
    ]),
  ]
  for (const variant of ['floor', 'peer', 'ours']) await send(servers[variant], 1, same, 1)
  for (const [, server, key] of kinds) await send(server, WARM_UP, key)
  const seen = new Map(kinds.map(([name]) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, server, key] of kinds) {
      await server.ask('cpu')
      await send(server, requests, key)
      const { user, system } = await server.ask('cpu')
      seen.get(name).push((user + system) / requests)
    }
  }
  for (const server of Object.values(servers)) await server.stop()
  return seen
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const print = (line) => process.stdout.write(`${line}\n`)

print(`Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds of ${requests} requests\n`)
print('CPU of the server for a request, the bare framework being 1: fresh / replay\n')
print('| framework | bare, µs | by hand | peer | Retryproof | Retryproof, µs |')
print('|---|---|---|---|---|---|')
for (const framework of frameworks) {
  const seen = await measure(framework)
  const bare = seen.get('bare')
  const cell = (name) => {
    const ratio = (kind) => median(seen.get(`${name} ${kind}`).map((cost, round) => cost / bare[round])).toFixed(2)
    return `${ratio('fresh')} / ${ratio('replay')}`
  }
  const spent = ['fresh', 'replay'].map((kind) => median(seen.get(`ours ${kind}`)).toFixed(0)).join(' / ')
  print(`| ${[framework, median(bare).toFixed(0), ...['floor', 'peer', 'ours'].map(cell), spent].join(' | ')} |`)
}
await drop()
