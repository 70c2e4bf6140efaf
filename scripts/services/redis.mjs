/** Redis and its kin: alone, with a replica, as a Cluster, behind Sentinels. */
import { execFile } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { converse, freePort, makeFolder, startNode, until } from './nodes.mjs'

const execute = promisify(execFile)

/** Asks a Redis or Valkey for its version, through a client, so that TLS and passwords of a given URL work. */
export async function probe(url) {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return versionIn(await client.info('server'))
  } finally {
    client.disconnect()
  }
}

function versionIn(info) {
  return /valkey_version:(\S+)/.exec(info)?.[1] ?? /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}

const fast = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']

/** `tool`: the server's program; the command line tool stands beside it. */
export function redisFamily(tool) {
  const cli = tool.replace('-server', '-cli')

  async function server(program, options, { role, extra = [], folder: given } = {}) {
    const folder = given ?? (await makeFolder(program))
    const port = await freePort()
    const settings = [
      ...(options.durable ? durable : fast),
      '--maxmemory-policy',
      'noeviction',
      ...(options.args ?? []),
      ...extra,
    ]
    const container = program.image && `retryproof-${process.pid}-${port}`
    const command = container
      ? ['docker', 'run', '--rm', '--name', container, '-p', `127.0.0.1:${port}:6379`, program.image, tool, ...settings]
      : program.command(tool, '--bind', '127.0.0.1', '--port', String(port), '--dir', folder.inside, ...settings)
    const afterwards = container && ['docker', 'rm', '-f', container]
    return {
      folder,
      node: await startNode({
        role,
        port,
        url: `redis://127.0.0.1:${port}`,
        command,
        folder,
        afterwards,
        ready: answers(container),
      }),
    }
  }

  /** The answer must be that of our own process, and not of a stranger on the same port. */
  const answers = (container) => async (node) => {
    const pid = await converse(node.port, 'INFO server\r\n', /process_id:(\d+)/)
    if (!container && Number(pid) !== node.pid) throw new Error(`port ${node.port} is in use by process ${pid}`)
    const field = tool.startsWith('valkey') ? /valkey_version:(\S+)/ : /redis_version:(\S+)/
    return converse(node.port, 'INFO server\r\n', field)
  }

  const info = (node, pattern) => converse(node.port, 'INFO replication\r\n', pattern)

  async function alone(program, options) {
    const { folder, node } = await server(program, options)
    return { nodes: [node], folders: [folder] }
  }

  /** A primary and `replicas` (1) that follow it. */
  async function withReplicas(program, options) {
    noContainer(program)
    const primary = await server(program, options)
    const follow = ['--replicaof', `127.0.0.1 ${primary.node.port}`]
    const replicas = await Promise.all(
      Array.from({ length: options.replicas ?? 1 }, () => server(program, options, { role: 'replica', extra: follow })),
    )
    for (const { node } of replicas) await until(() => info(node, /(master_link_status:up)/))
    const all = [primary, ...replicas]
    return { nodes: all.map(({ node }) => node), folders: all.map(({ folder }) => folder) }
  }

  /** Three primaries with a replica each. */
  async function cluster(program, options) {
    noContainer(program)
    const members = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const bus = String(await freePort())
        return server(program, options, {
          // longer than a busy machine stalls: a server that was only late must not be replaced
          extra: ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-node-timeout', '5000'],
        })
      }),
    )
    const nodes = members.map(({ node }) => node)
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    const [command, ...args] = program.command(
      cli,
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      '1',
      '--cluster-yes',
    )
    await execute(command, args)
    for (const node of nodes) {
      await until(() => converse(node.port, 'CLUSTER INFO\r\n', /(cluster_state:ok)/))
      node.role = (await info(node, /role:(\w+)/)) === 'slave' ? 'replica' : 'primary'
      if (node.role === 'replica') await until(() => info(node, /(master_link_status:up)/))
    }
    return { nodes, folders: members.map(({ folder }) => folder) }
  }

  /** A primary with two replicas, and three Sentinels that watch it under the name `primary`. */
  async function sentinel(program, options) {
    const { nodes, folders } = await withReplicas(program, { ...options, replicas: 2 })
    const sentinels = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const folder = await makeFolder(program)
        const port = await freePort()
        const config = [
          `port ${port}`,
          'bind 127.0.0.1',
          `dir ${folder.inside}`,
          `sentinel monitor primary 127.0.0.1 ${nodes[0].port} 2`,
          // Sentinel promotes no replica that had been cut off for longer than ten times this
          'sentinel down-after-milliseconds primary 3000',
          'sentinel failover-timeout primary 5000',
        ]
        const file = join(folder.path, 'sentinel.conf')
        writeFileSync(file, `${config.join('\n')}\n`)
        chmodSync(file, 0o666)
        const command = program.command(tool, join(folder.inside, 'sentinel.conf'), '--sentinel')
        return {
          folder,
          node: await startNode({
            role: 'sentinel',
            port,
            url: `redis://127.0.0.1:${port}`,
            command,
            folder,
            ready: answers(),
          }),
        }
      }),
    )
    // A Sentinel that notices that the machine has stalled for 2 s does nothing for 30 s, and one whose INFO of a replica is
    // older than 5 s does not promote it, and waits 10 s: by default it asks every 10 s. (Redis 7 and later have the command.)
    const debug = 'SENTINEL DEBUG TILT-TRIGGER 60000 INFO-PERIOD 1000\r\n'
    for (const { node } of sentinels) {
      await converse(node.port, debug, /^(\+OK|-ERR)/)
      await until(() => converse(node.port, 'INFO sentinel\r\n', /(status=ok,address=[\d.:]+,slaves=2,sentinels=3)/))
    }
    // a Sentinel that has just met the others needs its first hello of each before it may vote
    await delay(500)
    return {
      nodes: [...nodes, ...sentinels.map(({ node }) => node)],
      folders: [...folders, ...sentinels.map(({ folder }) => folder)],
    }
  }

  return { alone, withReplicas, cluster, sentinel }
}

function noContainer(program) {
  if (program.image)
    throw new Error('several servers that find each other are started from binaries only; install redis-server')
}
