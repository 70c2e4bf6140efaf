/** Checks whether the servers can carry the store: eviction, role, and the commands that the user may run. */
import { createHash } from 'node:crypto'
import { sleep } from '@retryproof/core/internal'
import { isIdempotencyError, StoreMisconfiguredError } from '@retryproof/core/store'
import type { RedisClient, RedisNode } from './driver.ts'
import { refusals, TOO_OLD, toStoreError } from './errors.ts'

/** Runs every command of the store's script once, on a record that the last of them removes. */
const probe = `
redis.acl_check_cmd('PEXPIREAT', KEYS[1], 0)
redis.call('TIME')
redis.call('SET', KEYS[1], 'probe', 'PXAT', ARGV[1])
redis.call('SETRANGE', KEYS[1], 0, 'probe')
redis.call('GETRANGE', KEYS[1], 0, -1)
return redis.call('PEXPIREAT', KEYS[1], 1)`
const probeSha = createHash('sha1').update(probe).digest('hex')

/** Asks again after this time, in the background of a call: settings and privileges change while a store lives. */
const CHECK_EVERY_MS = 60_000
/** Bounds the wait for one server of a Cluster. */
const NODE_TIMEOUT_MS = 1000
/** The first major version whose scripts can ask for privileges. */
const OLDEST = 7
const PROBES_AT_ONCE = 32
const PROBE_ROUNDS = 20

export interface CheckOptions {
  readonly client: RedisClient
  /** The prefix of the store's keys. The probe is one of them, so that privileges on keys are checked too. */
  readonly prefix: string
  readonly allowEviction: boolean
  /** Rejects calls that a closed connection leaves without a reply. */
  readonly answered: <T>(reply: Promise<T>) => Promise<T>
  readonly resends: boolean
}

export interface Check {
  /** Asks every primary now. @throws {@link StoreMisconfiguredError} when a server cannot carry the store */
  ask(): Promise<void>
  /**
   * Resolves when the last check passed; `undefined` where it has. Checks first before the first call, after a reconnection, and
   * once a minute.
   */
  passed(): Promise<void> | undefined
}

export function createCheck({ client, prefix, allowEviction, answered, resends }: CheckOptions): Check {
  let last: Promise<void> | undefined
  /** The last check has passed. */
  let isKnown = false
  let askedAt = 0
  let warned = false

  const forget = () => {
    last = undefined
    isKnown = false
  }
  client.on('close', forget)
  client.on('+node', forget)

  async function askAll(): Promise<void> {
    try {
      if (!client.nodes) return await askOne(client)
      // a Cluster client knows its primaries once it is connected
      if (client.status !== 'ready') await answered(client.info())
      const outcomes = await Promise.all(client.nodes('master').map(askNode))
      for (const error of outcomes) if (error) throw error
    } catch (error) {
      throw toStoreError(error, resends)
    }
  }

  /** Resolves to a finding. An outage of one server is none: calls of its own keys meet it, all others go on. */
  function askNode(node: RedisNode): Promise<unknown> {
    const finding = askOne(node).then(
      () => undefined,
      (error: unknown) => {
        const known = toStoreError(error, resends)
        return isIdempotencyError(known, 'IDEMPOTENCY_STORE_MISCONFIGURED') ? known : undefined
      },
    )
    return Promise.race([finding, sleep(NODE_TIMEOUT_MS, undefined, { background: true })])
  }

  async function askOne(node: RedisNode): Promise<void> {
    const [info] = await Promise.all([answered(node.info()).catch(withoutPermission), runProbe(node)])
    if (!client.isCluster && /^role:slave/m.test(info)) throw new StoreMisconfiguredError(`Redis: ${refusals.READONLY}`)
    const version = /^redis_version:(\d+)\S*/m.exec(info)
    if (Number(version?.[1] ?? OLDEST) < OLDEST) throw new StoreMisconfiguredError(`Redis: ${version?.[0]}. ${TOO_OLD}`)
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (allowEviction || policy === 'noeviction') return
    if (policy) {
      throw new StoreMisconfiguredError(
        `Redis: maxmemory-policy is ${policy}, so that a full server forgets records, and their writes run again. ` +
          'Set it to noeviction, or say allowEviction: true.',
      )
    }
    if (warned) return
    warned = true
    process.emitWarning(
      'Redis does not say its maxmemory-policy (INFO): make sure that it is noeviction.',
      'RetryproofWarning',
    )
  }

  /** Runs the probe on one server. A node of a Cluster takes only its own keys: tries names until one is. */
  async function runProbe(node: RedisNode): Promise<void> {
    const rounds = node === client || hasHashTag(prefix) ? 1 : PROBE_ROUNDS
    const atOnce = node === client ? 1 : PROBES_AT_ONCE
    for (let round = 0; round < rounds; round++) {
      const outcomes = await Promise.all(Array.from({ length: atOnce }, () => probeOnce(node)))
      if (outcomes.includes('local')) return
    }
  }

  async function probeOnce(node: RedisNode): Promise<'local' | 'elsewhere'> {
    const key = `${prefix}probe-${crypto.randomUUID()}`
    const until = String(Date.now() + 60_000)
    try {
      // the second one is what the store sends when the server knows the script
      await Promise.all([answered(node.eval(probe, 1, key, until)), answered(node.evalsha(probeSha, 1, key, until))])
      return 'local'
    } catch (error) {
      if (/^(MOVED|ASK)\b/.test((error as Error).message)) return 'elsewhere'
      throw error
    }
  }

  function start(): Promise<void> {
    const asked = askAll()
    last = asked
    isKnown = false
    askedAt = performance.now()
    asked.then(
      () => {
        if (last === asked) isKnown = true
      },
      () => {
        if (last === asked) forget()
      },
    )
    return asked
  }

  /** Asks in the background. Only a finding replaces the last answer: an outage is for the call itself to meet. */
  function askAgain(): void {
    askedAt = performance.now()
    const asked = askAll()
    asked.catch((error: unknown) => {
      if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED')) forget()
    })
  }

  return {
    ask: start,
    passed() {
      if (!last) return start()
      if (performance.now() - askedAt > CHECK_EVERY_MS) askAgain()
      return isKnown ? undefined : last
    },
  }
}

function withoutPermission(error: Error): string {
  if (error.message.startsWith('NOPERM')) return ''
  throw error
}

/** With a hash tag in the prefix all keys are on one server of a Cluster. */
function hasHashTag(prefix: string): boolean {
  return /\{[^}]+\}/.test(prefix)
}
