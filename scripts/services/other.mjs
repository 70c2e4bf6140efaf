/** MongoDB as a replica set, NATS with JetStream, Memcached. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { converse, freePort, makeFolder, startNode, until } from './nodes.mjs'

export async function probeMongodb(url, options = {}) {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000, ...options })
  try {
    return (await client.db('admin').command({ buildInfo: 1 })).version
  } finally {
    await client.close()
  }
}

/** A replica set of `nodes` (1) members; three elect a new primary in some 3 s. With `alone`: a server that is in no set. */
export async function mongodb(program, options) {
  if (options.alone) {
    const { node, folder } = await member(program, options)
    return { nodes: [node], folders: [folder] }
  }
  const members = await Promise.all(
    Array.from({ length: program.image ? 1 : (options.nodes ?? 1) }, () => member(program, options)),
  )
  const nodes = members.map(({ node }) => node)
  await initiate(nodes)
  const seeds = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return { url: `mongodb://${seeds}/?replicaSet=rs0`, nodes, folders: members.map(({ folder }) => folder) }
}

async function member(program, options) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`
  const name = `retryproof-${process.pid}-${port}`
  const common = [
    ...(options.alone ? [] : ['--replSet', 'rs0']),
    '--port',
    String(port),
    '--wiredTigerCacheSizeGB',
    '0.25',
    '--setParameter',
    'diagnosticDataCollectionEnabled=false',
    ...(options.args ?? []),
  ]
  const data = join(folder.path, 'data')
  mkdirSync(data)
  const command = program.image
    ? [
        'docker',
        'run',
        '--rm',
        '--name',
        name,
        '-p',
        `127.0.0.1:${port}:${port}`,
        program.image,
        'mongod',
        '--bind_ip_all',
        ...common,
      ]
    : program.command('mongod', '--bind_ip', '127.0.0.1', '--dbpath', data, ...common)
  const afterwards = program.image && ['docker', 'rm', '-f', name]
  const ready = () => probeMongodb(url, { serverSelectionTimeoutMS: 1_000 })
  return { folder, node: await startNode({ role: 'member', port, url, command, folder, afterwards, ready }) }
}

async function initiate(nodes) {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(nodes[0].url, { serverSelectionTimeoutMS: 5_000 })
  try {
    const admin = client.db('admin')
    const members = nodes.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}`, priority: _id === 0 ? 2 : 1 }))
    await admin.command({ replSetInitiate: { _id: 'rs0', members, settings: { electionTimeoutMillis: 2_000 } } })
    await until(async () => {
      const { members: states } = await admin.command({ replSetGetStatus: 1 })
      const primary = states.some(({ stateStr }) => stateStr === 'PRIMARY')
      if (!primary || !states.every(({ stateStr }) => /PRIMARY|SECONDARY/.test(stateStr)))
        throw new Error('no primary yet')
    })
  } finally {
    await client.close()
  }
}

export const probeNats = (url) => {
  const { hostname, port } = new URL(url)
  return converse(Number(port || 4222), '', /^INFO .*"version":"([^"]+)"/, hostname)
}

export async function nats(program, options) {
  return single(program, 4222, {
    scheme: 'nats',
    probe: probeNats,
    args: (folder, port) => [
      'nats-server',
      '-js',
      '-sd',
      folder.inside,
      '-a',
      '127.0.0.1',
      '-p',
      String(port),
      ...(options.args ?? []),
    ],
    containerArgs: ['-js'],
  })
}

export const probeMemcached = (url) => {
  const { hostname, port } = new URL(url)
  return converse(Number(port || 11211), 'version\r\n', /^VERSION (\S+)/, hostname)
}

export async function memcached(program, options) {
  return single(program, 11211, {
    scheme: 'memcached',
    probe: probeMemcached,
    args: (_, port) => ['memcached', '-l', '127.0.0.1', '-p', String(port), '-U', '0', ...(options.args ?? [])],
    containerArgs: [],
  })
}

async function single(program, inner, { scheme, probe, args, containerArgs }) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `${scheme}://127.0.0.1:${port}`
  const name = `retryproof-${process.pid}-${port}`
  const command = program.image
    ? ['docker', 'run', '--rm', '--name', name, '-p', `127.0.0.1:${port}:${inner}`, program.image, ...containerArgs]
    : program.command(...args(folder, port))
  const afterwards = program.image && ['docker', 'rm', '-f', name]
  const node = await startNode({ port, url, command, folder, afterwards, user: program.user, ready: () => probe(url) })
  return { nodes: [node], folders: [folder] }
}
