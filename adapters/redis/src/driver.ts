/** The driver as this store uses it: which clients can carry it, what may go wrong with them, and what that means. */
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core/store'
import { refusals } from './errors.ts'

/** A client of ioredis 5 or 6: of one server, by Sentinels, or of a Cluster. It stays the caller's, who closes it. */
export interface RedisClient {
  readonly isCluster: boolean
  readonly status: string
  readonly options: {
    readonly keyPrefix?: string | undefined
    readonly readOnly?: boolean | undefined
    readonly role?: string | undefined
    readonly monitor?: boolean | undefined
    readonly autoResendUnfulfilledCommands?: boolean | undefined
    readonly enableAutoPipelining?: boolean | undefined
  }
  evalsha(sha: string, keys: number, ...keysAndArguments: (string | Uint8Array)[]): Promise<unknown>
  eval(script: string, keys: number, ...keysAndArguments: (string | Uint8Array)[]): Promise<unknown>
  wait(replicas: number, timeoutMs: number): Promise<number>
  info(): Promise<string>
  scan(cursor: string, match: 'MATCH', pattern: string, count: 'COUNT', size: number): Promise<[string, string[]]>
  /** Of a Cluster. */
  nodes?(role: 'master'): readonly Pick<RedisClient, 'scan'>[]
  /** For `watch`, which needs a connection of its own. */
  duplicate(...overrides: never[]): Subscriber
  on(event: 'ready' | 'close', listener: () => void): unknown
}

export interface Subscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message' | 'ready' | 'error', listener: (channel: string) => void): unknown
  disconnect(): void
}

/** What replies in bytes: ioredis has it, and its types do not. (`callBuffer` loses commands in automatic pipelines.) */
interface Binary {
  readonly evalshaBuffer: RedisClient['evalsha']
  readonly evalBuffer: RedisClient['eval']
}

/** @throws IdempotencyInvalidOptionError saying what `client` is, where it cannot carry the store */
export function requireUsable(client: RedisClient): RedisClient & Binary {
  const problem = problemOf(Object(client))
  if (!problem) return client as RedisClient & Binary
  throw new IdempotencyInvalidOptionError(
    'client',
    `must be an ioredis client (new Redis or new Cluster), got ${problem}`,
  )
}

function problemOf(client: Partial<RedisClient & Binary> & Record<string, unknown>): string | undefined {
  if (client.isPipeline) return 'a pipeline, in which a script that the server has forgotten cannot be sent again'
  if (typeof client.evalSha === 'function') return 'a node-redis client'
  if (typeof client.evalshaBuffer !== 'function') {
    return typeof client.evalsha === 'function' ? 'a client that cannot carry bytes (Upstash?)' : 'none'
  }
  const { readOnly, role, monitor } = client.options ?? {}
  if (readOnly || role === 'slave') return 'one that asks replicas (`readOnly` or `role: "slave"`)'
  return monitor ? 'one that monitors' : undefined
}

/**
 * Whether a command may reach the server twice: ioredis sends one whose reply was lost again on the next connection.
 * A refusal may then be about the second sending, and says nothing about the first.
 */
export function mayResend({ isCluster, options }: RedisClient): boolean {
  return isCluster || options.autoResendUnfulfilledCommands !== false
}

/** Without resending, ioredis forgets what is unanswered when a connection closes: the promise would never settle. */
export function untilClosed(client: RedisClient): <T>(reply: Promise<T>) => Promise<T> {
  const unanswered = new Set<(reason: Error) => void>()
  let open = client.status === 'ready'
  client.on('ready', () => {
    open = true
  })
  client.on('close', () => {
    // what waits for a first connection goes on waiting
    if (!open) return
    open = false
    for (const reject of unanswered) reject(new Error('The connection closed before the reply came'))
    unanswered.clear()
  })
  return (reply) =>
    new Promise((resolve, reject) => {
      unanswered.add(reject)
      reply.then(resolve, reject).finally(() => unanswered.delete(reject))
    })
}

/** Looks at what INFO says. A user that may not ask is warned: nothing else would tell. */
export async function requireKeeper(info: Promise<string>, isCluster: boolean, allowEviction: boolean): Promise<void> {
  const said = await info.catch((error: Error) => {
    if (error.message.startsWith('NOPERM')) return ''
    throw error
  })
  if (!isCluster && /^role:slave/m.test(said)) throw new StoreMisconfiguredError(`Redis: ${refusals.READONLY}`)
  const policy = /^maxmemory_policy:(\S+)/m.exec(said)?.[1]
  if (allowEviction || policy === 'noeviction') return
  if (policy) {
    throw new StoreMisconfiguredError(
      `Redis: maxmemory-policy is ${policy}, so that a full server forgets records, and their writes run again. ` +
        'Set it to noeviction, or say allowEviction: true.',
    )
  }
  process.emitWarning(
    'Redis does not say its maxmemory-policy (INFO): make sure that it is noeviction.',
    'RetryproofWarning',
  )
}
