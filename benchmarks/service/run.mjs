// What a guarded route adds to a request on each store, and how many requests a second it takes: `npm run bench -- service [store …]`.
import { Agent, request } from 'node:http'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { startService } from '../../scripts/services.mjs'
import { bundled } from '../bundle.mjs'
import { startServer } from '../served.mjs'

const all = ['memory', 'redis', 'postgres', 'mariadb', 'mongodb', 'sqlite']
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' } },
})
const stores = positionals.length > 0 ? positionals : all
const rounds = Number(values.rounds ?? (values.quick ? 5 : 20))
/** Requests of one kind in a round, one after the other. */
const IN_TURN = 100
const CONNECTIONS = 64
const FULL_LOAD_MS = values.quick ? 1000 : 4000
const body = JSON.stringify({ amount: 100, note: 'x'.repeat(950) })
const { file, drop } = await bundled('service/server.ts')

let keys = 0
const fresh = () => `key-${keys++}`
const same = () => 'the-same-key'
const kinds = { bare: ['/bare', same], fresh: ['/charges', fresh], replay: ['/charges', same] }

/** Milliseconds of each request of a kind, one after the other, in turn with the other kinds. */
async function latencies(server) {
  const seen = { bare: [], fresh: [], replay: [] }
  for (let round = -2; round < rounds; round++) {
    for (const [kind, [path, key]] of Object.entries(kinds)) {
      for (let count = 0; count < IN_TURN; count++) {
        const startedAt = performance.now()
        await post(server, path, key())
        // two rounds warm up
        if (round >= 0) seen[kind].push(performance.now() - startedAt)
      }
    }
  }
  return seen
}

/** Requests a second of a kind with all connections busy. */
async function fullLoad(server, [path, key]) {
  const endsAt = performance.now() + FULL_LOAD_MS
  let done = 0
  const client = async () => {
    for (; performance.now() < endsAt; done++) await post(server, path, key())
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, client))
  return Math.round((done / FULL_LOAD_MS) * 1000)
}

async function measure(store) {
  const isServer = store !== 'memory' && store !== 'sqlite'
  // as in production: what is acknowledged survives a loss of power
  const service = isServer ? await startService(store, { durable: true }) : undefined
  const server = {
    ...(await startServer(file, [store, ...(service ? [service.url] : [])])),
    agent: new Agent({ keepAlive: true, maxSockets: CONNECTIONS }),
  }
  const seen = await latencies(server)
  const load = {}
  for (const [kind, how] of Object.entries(kinds)) load[kind] = await fullLoad(server, how)
  await server.stop()
  await service?.stop()
  return { seen, load }
}

/** @throws unless the answer is a 201 */
function post({ port, agent }, path, key) {
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Idempotency-Key': key,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ port, agent, method: 'POST', path, headers }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 201) resolve()
        else reject(new Error(`was answered with ${answer.statusCode}`))
      })
    })
    sent.on('error', reject).end(body)
  })
}

const quantile = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)]
const print = (line) => process.stdout.write(`${line}\n`)

print(`Node ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model}), load ${loadavg()[0].toFixed(1)}`)
print(
  `${rounds * IN_TURN} requests of each kind one after the other; ${CONNECTIONS} connections for ${FULL_LOAD_MS} ms\n`,
)
print(
  '| store | adds to a first request, p50 / p99, ms | adds to a replay, p50 / p99, ms | first requests a second | replays a second | bare requests a second |',
)
print('|---|---|---|---|---|---|')
for (const store of stores) {
  const { seen, load } = await measure(store)
  const added = (kind) =>
    [0.5, 0.99].map((share) => (quantile(seen[kind], share) - quantile(seen.bare, share)).toFixed(2)).join(' / ')
  print(`| ${[store, added('fresh'), added('replay'), load.fresh, load.replay, load.bare].join(' | ')} |`)
}
print(`\nLoad at the end: ${loadavg()[0].toFixed(1)}`)
await drop()
