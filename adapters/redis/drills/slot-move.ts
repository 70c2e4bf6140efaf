/** Histories of concurrent clients while the slot of their records moves between two servers of a Cluster. */
import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { checks } from '@retryproof/conformance'
import { Cluster, Redis } from 'ioredis'
import { type ServerNode, startService, unavailable } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'

/** A fast machine takes a round before the slot has moved often enough to show anything: then more rounds follow. */
const LEAST_FLUSHES = 2
const MOST_ROUNDS = 50

/** Each round takes `FC_HISTORIES` (100) histories. Throws with the first that is not linearizable. */
export async function slotMove(nodes: readonly ServerNode[], rounds = 1): Promise<{ moves: number; flushes: number }> {
  const tag = '{slot}'
  const prefix = `${tag}${randomBytes(6).toString('hex')}:`
  const servers = nodes.map(({ host, port }) => new Redis({ host, port }))
  const clients = new Map<unknown, Cluster>()
  const open = ({ now }: { now?: () => number }) => {
    const client = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
    const store = redisStore({ client, prefix, ...(now && { now }) })
    clients.set(store, client)
    return store
  }
  const counts = { moves: 0, flushes: 0 }
  let running = true
  const moving = (async () => {
    const slot = Number(await servers[0]?.cluster('KEYSLOT', tag))
    while (running) {
      await moveSlot(slot, servers)
      counts.moves++
      if (counts.moves % 2 > 0) continue
      await Promise.all(servers.map((server) => server.script('FLUSH')))
      counts.flushes++
    }
  })()
  try {
    const concurrent = checks.find(({ id }) => id === 'C18')
    if (!concurrent) throw new Error('the suite has no check C18')
    const isEnough = (round: number) => round >= rounds && counts.flushes >= LEAST_FLUSHES
    for (let round = 0; !isEnough(round) && round < rounds + MOST_ROUNDS; round++) {
      await concurrent.run({ open, close: (store) => clients.get(store)?.disconnect() })
    }
  } finally {
    running = false
    await moving
    for (const server of servers) server.disconnect()
  }
  return counts
}

/** From the primary that serves the slot to the next one, as `redis-cli --cluster reshard` does it. */
async function moveSlot(slot: number, servers: readonly Redis[]): Promise<void> {
  const known = await Promise.all(
    servers.map(async (server) => {
      const [myself = ''] = String(await server.cluster('NODES')).match(/^.*myself.*$/m) ?? []
      const ranges = [...myself.matchAll(/ (\d+)(?:-(\d+))?(?= |$)/g)].map(([, from, to]) => [
        Number(from),
        Number(to ?? from),
      ])
      const serves = ranges.some(([from = 0, to = 0]) => from <= slot && slot <= to && /\bconnected /.test(myself))
      return { server, id: myself.split(' ')[0] ?? '', isPrimary: /\bmaster\b/.test(myself), serves }
    }),
  )
  const primaries = known.filter(({ isPrimary }) => isPrimary)
  const at = primaries.findIndex(({ serves }) => serves)
  const [from, to] = [primaries[at], primaries[(at + 1) % primaries.length]]
  if (!from || !to) throw new Error(`no primary serves slot ${slot}`)
  await to.server.cluster('SETSLOT', slot, 'IMPORTING', from.id)
  await from.server.cluster('SETSLOT', slot, 'MIGRATING', to.id)
  const { host = '', port = 0 } = to.server.options
  for (;;) {
    const keys = await from.server.cluster('GETKEYSINSLOT', slot, 20)
    if (keys.length === 0) break
    await from.server.migrate(host, port, '', 0, 5_000, 'KEYS', ...keys)
  }
  // the new one first, so that nobody is sent back to the old one
  for (const { server } of [to, from, ...primaries]) await server.cluster('SETSLOT', slot, 'NODE', to.id)
  // a move that starts while some server still knows the owner before can take the records with it
  await agreed(slot, to.id, servers)
}

/** Resolves when every server, replicas included, knows the owner of the slot, and none is moving it. */
async function agreed(slot: number, owner: string, servers: readonly Redis[]): Promise<void> {
  const isSettled = async (server: Redis) => {
    const nodes = String(await server.cluster('NODES'))
    const line = nodes.split('\n').find((each) => each.startsWith(owner)) ?? ''
    const ranges = [...line.matchAll(/ (\d+)(?:-(\d+))?(?= |$)/g)]
    const isOwner = ranges.some(([, from, to]) => Number(from) <= slot && slot <= Number(to ?? from))
    return isOwner && !nodes.includes(`[${slot}-`)
  }
  for (let tries = 0; tries < 1000; tries++) {
    if ((await Promise.all(servers.map(isSettled))).every(Boolean)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`the servers do not agree on who serves slot ${slot}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const rounds = Number(process.argv[2] ?? 10)
  for (const server of ['redis', 'redis8', 'valkey'] as const) {
    if (await unavailable(server)) continue
    const cluster = await startService('redis-cluster', { server })
    const counts = await slotMove(cluster.nodes, rounds)
    process.stdout.write(`${JSON.stringify({ drill: 'slot move', server, rounds, ...counts, violations: 0 })}\n`)
    await cluster.stop()
  }
}
