/**
 * A primary that is killed under load: what a failover loses, and what it must not break. If replication is cut before, acknowledged writes are lost for certain.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Cluster, Redis } from 'ioredis'
import { type OwnNode, type ServiceOptions, startService, unavailable } from '../../../scripts/services.mjs'
import { type Durability, type RedisStore, redisStore } from '../src/index.ts'
import { toSeen } from '../src/record.ts'

export interface FailoverOptions {
  readonly shape: 'redis-sentinel' | 'redis-cluster'
  readonly server?: NonNullable<ServiceOptions['server']>
  readonly keys: number
  /** Cuts the replicas off from the second half of the keys. */
  readonly cut: boolean
  readonly durability?: Durability
}

export interface FailoverReport {
  /** Keys whose acquisition or result was acknowledged before the failover or in it. */
  acknowledged: number
  /** Calls whose outcome their caller does not know. */
  unknown: number
  /** From the kill until every key is served again. */
  outageMs: number
  /** Acknowledged keys whose holder or result is gone, so that another acquired them. */
  secondHolders: number
  /** Those of them whose acknowledged write the new primary does not have. */
  traced: number
  /** Second holders whose token is not above the first one's: must be 0. */
  tokensFell: number
  /** Writes with the first holder's token that were accepted after the second acquired: must be 0. */
  staleAccepted: number
}

interface Acknowledged {
  readonly key: string
  readonly token: number
}

const PREFIX = 'failover:'
const WORKERS = 8
const HOUR_MS = 3_600_000
const GIVE_UP_MS = 60_000
const claim = { fingerprint: 'fingerprint', leaseMs: HOUR_MS, retentionMs: HOUR_MS }
const completed = { to: 'completed', result: new TextEncoder().encode('result'), retentionMs: HOUR_MS } as const

export async function failover(options: FailoverOptions): Promise<FailoverReport> {
  const { shape, server, keys, cut, durability } = options
  const service = await startService(shape, { ...(server && { server }) })
  const client = connect(shape, service.nodes, durability !== undefined)
  try {
    const store = redisStore({ client, prefix: PREFIX, ...(durability && { durability }) })
    const primaries = service.nodes.filter(({ role }) => role === 'primary')
    const replicas = service.nodes.filter(({ role }) => role === 'replica')
    const names = Array.from({ length: keys }, (_, i) => `key-${i}`)
    const work = load(store)
    await work.run(names.slice(0, keys / 2))
    if (cut) await cutReplication(primaries, replicas)
    // the death comes amid the second half
    const rest = work.run(names.slice(keys / 2))
    await work.reached(keys * 0.7)
    await primaries[0]?.kill()
    const killedMs = performance.now()
    if (cut) await letReplicasFollow(replicas)
    await rest
    // the rest is examined without waiting for replicas, which are only coming back
    const plain = redisStore({ client, prefix: PREFIX })
    for (const { key } of work.acknowledged) await untilServed(() => plain.get(key))
    const report = { ...counts(), acknowledged: work.acknowledged.length, unknown: work.unknown() }
    report.outageMs = Math.round(performance.now() - killedMs)
    for (const one of work.acknowledged) {
      const kept = await client.getBuffer(`${PREFIX}${one.key}`)
      const { record } = toSeen({ now: 0, found: kept ?? Buffer.of() })
      await examine(plain, one, record?.token ?? 0, report)
    }
    return report
  } finally {
    client.disconnect()
    await service.stop()
  }
}

const counts = () => ({ outageMs: 0, secondHolders: 0, traced: 0, tokensFell: 0, staleAccepted: 0 })

function connect(shape: FailoverOptions['shape'], nodes: readonly OwnNode[], honest: boolean): Redis | Cluster {
  const at = (role: string) => nodes.filter((node) => node.role === role).map(({ host, port }) => ({ host, port }))
  const client =
    shape === 'redis-cluster'
      ? new Cluster([...at('primary'), ...at('replica')])
      : new Redis({
          sentinels: at('sentinel'),
          name: 'primary',
          ...(honest && { autoResendUnfulfilledCommands: false }),
        })
  return client.on('error', () => {})
}

/** Every key is acquired, and every second one completed, by workers that give up a call whose outcome they do not know. */
function load(store: RedisStore) {
  const acknowledged: Acknowledged[] = []
  let done = 0
  let unknown = 0
  let awaited = { count: Number.POSITIVE_INFINITY, resolve: () => {} }

  async function once(key: string, i: number): Promise<void> {
    try {
      const { token } = await store.begin(key, { ...claim, owner: key })
      if (i % 2 > 0) await store.transition(key, token, completed)
      acknowledged.push({ key, token })
    } catch {
      unknown++
    }
    if (++done >= awaited.count) awaited.resolve()
  }

  return {
    acknowledged,
    unknown: () => unknown,
    reached: (count: number) => {
      const promise = new Promise<void>((resolve) => {
        awaited = { count, resolve }
      })
      return promise
    },
    async run(keys: readonly string[]) {
      const queue = [...keys.entries()]
      const worker = async () => {
        for (let next = queue.shift(); next; next = queue.shift()) await once(next[1], next[0])
      }
      await Promise.all(Array.from({ length: WORKERS }, worker))
    },
  }
}

/**
 * Replicas lose their connection, and cannot come back, while Sentinels and clients go on. A replica that fails at `AUTH`
 * tries again once a second. One whose `SYNC` is refused tries again at once, thousands of times a second: with both cores
 * taken, the kill came so late that the replicas had been cut off for longer than Sentinel lets one be that it promotes.
 */
async function cutReplication(primaries: readonly OwnNode[], replicas: readonly OwnNode[]): Promise<void> {
  await Promise.all(replicas.map((node) => asAdmin(node, (admin) => admin.config('SET', 'masterauth', 'wrong'))))
  await Promise.all(primaries.map((node) => asAdmin(node, (admin) => admin.call('CLIENT', 'KILL', 'TYPE', 'replica'))))
}

/** Lets a replica follow the one that is promoted: Sentinel waits for it before it names the new primary to others. */
async function letReplicasFollow(replicas: readonly OwnNode[]): Promise<void> {
  await Promise.all(replicas.map((node) => asAdmin(node, (admin) => admin.config('SET', 'masterauth', ''))))
}

async function asAdmin({ host, port }: OwnNode, act: (admin: Redis) => Promise<unknown>): Promise<void> {
  const admin = new Redis({ host, port })
  await act(admin)
  admin.disconnect()
}

async function untilServed(ask: () => Promise<unknown>): Promise<void> {
  const giveUpMs = performance.now() + GIVE_UP_MS
  for (;;) {
    try {
      await ask()
      return
    } catch (error) {
      if (performance.now() > giveUpMs) throw error
      await delay(50)
    }
  }
}

/** `kept`: the token that the new primary has, 0 for none. */
async function examine(store: RedisStore, one: Acknowledged, kept: number, report: FailoverReport): Promise<void> {
  const { key, token } = one
  const reply = await store.begin(key, { ...claim, owner: `second of ${key}` })
  if (reply.outcome !== 'acquired') return
  report.secondHolders++
  if (kept < token) report.traced++
  if (reply.token <= token) report.tokensFell++
  const stale = await store.transition(key, token, completed)
  if (stale.outcome !== 'lost') report.staleAccepted++
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const rounds = Number(process.argv[2] ?? 3)
  const durability = { replicas: 1, timeout: 25 }
  const kinds: FailoverOptions[] = [
    { shape: 'redis-sentinel', keys: 400, cut: false },
    { shape: 'redis-sentinel', keys: 400, cut: true },
    { shape: 'redis-sentinel', keys: 200, cut: true, durability },
    { shape: 'redis-cluster', keys: 400, cut: false },
    { shape: 'redis-cluster', keys: 400, cut: true },
  ]
  for (const server of ['redis', 'redis8', 'valkey'] as const) {
    if (await unavailable(server)) continue
    for (const kind of kinds) {
      for (let round = 1; round <= rounds; round++) {
        const report = await failover({ ...kind, server })
        process.stdout.write(`${JSON.stringify({ drill: 'failover', server, round, ...kind, ...report })}\n`)
        if (report.tokensFell + report.staleAccepted > 0 || report.traced < report.secondHolders) process.exitCode = 1
      }
    }
  }
}
