/** The client as this store uses it: its type, the clients that are refused, and replies that never come. */
import { describeKind } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError } from '@retryproof/core/store'

/** A client of ioredis 5 or 6: of one server, by Sentinels, or of a Cluster. The caller owns and closes it. */
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
  /** The connection to the server; none before the first, and none in a Cluster. */
  readonly stream?: Connection | undefined
  info(): Promise<string>
  scan(cursor: string, match: 'MATCH', pattern: string, count: 'COUNT', size: number): Promise<[string, string[]]>
  /** The primaries of a Cluster. */
  nodes?(role: 'master'): readonly RedisNode[]
  /** Makes the connection of `watch`, which needs one of its own. */
  duplicate(...overrides: never[]): Subscriber
  on(event: 'ready' | 'close' | '+node', listener: () => void): unknown
}

/** One server: a client, or a node of a Cluster. */
export type RedisNode = Pick<RedisClient, 'scan' | 'info' | 'eval' | 'evalsha'>

/** The socket of a client. What is written while it is corked leaves at once when it is uncorked. */
interface Connection {
  cork(): void
  uncork(): void
}

export interface Subscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message' | 'ready' | 'error', listener: (channel: string) => void): unknown
  disconnect(): void
}

/** Calls that reply in bytes. ioredis has them, its types do not. (`callBuffer` loses commands in automatic pipelines.) */
interface Binary {
  readonly evalshaBuffer: RedisClient['evalsha']
  readonly evalBuffer: RedisClient['eval']
}

/** @throws {@link IdempotencyInvalidOptionError} naming what `client` is, when it cannot carry the store */
export function requireUsable(client: RedisClient): RedisClient & Binary {
  const problem = problemOf(client)
  if (!problem) return client as RedisClient & Binary
  throw new IdempotencyInvalidOptionError(
    'client',
    `must be an ioredis client (new Redis or new Cluster), got ${problem}`,
  )
}

function problemOf(given: unknown): string | undefined {
  const client: Partial<RedisClient & Binary> & Record<string, unknown> = Object(given)
  if (client.isPipeline) return 'a pipeline, in which a script that the server has forgotten cannot be sent again'
  if (typeof client.evalSha === 'function') return 'a node-redis client'
  if (typeof client.evalshaBuffer !== 'function') {
    return typeof client.evalsha === 'function' ? 'a client that cannot carry bytes (Upstash?)' : describeKind(given)
  }
  const { readOnly, role, monitor } = client.options ?? {}
  if (readOnly || role === 'slave') return 'one that asks replicas (`readOnly` or `role: "slave"`)'
  return monitor ? 'one that monitors' : undefined
}

/**
 * Tells whether a command may reach the server twice: ioredis sends a command whose reply was lost again on the next
 * connection. A refusal may then be about the second sending, and says nothing about the first.
 */
export function mayResend({ isCluster, options }: RedisClient): boolean {
  return isCluster || options.autoResendUnfulfilledCommands !== false
}

/** Rejects unanswered calls when the connection closes: without resending, ioredis never settles their promises. */
export function untilClosed(client: RedisClient): <T>(reply: Promise<T>) => Promise<T> {
  const unanswered = new Set<(reason: Error) => void>()
  let open = client.status === 'ready'
  client.on('ready', () => {
    open = true
  })
  client.on('close', () => {
    // calls that wait for the first connection go on waiting
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

/**
 * Sends the commands of one tick of the event loop in one write: a write is a system call, which takes longer than all else
 * that a client does for a command. A lone command leaves in the same tick too, as it does without.
 */
export function writesTogether(client: RedisClient): () => void {
  let corked: Connection | undefined
  const uncork = () => {
    corked?.uncork()
    corked = undefined
  }
  return () => {
    if (corked || !client.stream) return
    corked = client.stream
    corked.cork()
    process.nextTick(uncork)
  }
}
