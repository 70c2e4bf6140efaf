/** The driver as this store uses it, and its errors in the words of the port. */
import {
  type IdempotencyError,
  InvalidOptionError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core'

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
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  wait(replicas: number, timeoutMs: number): Promise<number>
  info(): Promise<string>
  scan(cursor: string, match: 'MATCH', pattern: string, count: 'COUNT', size: number): Promise<[string, string[]]>
  /** Of a Cluster. */
  nodes?(role: 'master'): readonly Pick<RedisClient, 'info' | 'scan'>[]
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

/** @throws InvalidOptionError when `client` cannot carry the store, saying which can */
export function requireUsable(client: RedisClient): void {
  const { callBuffer, evalSha, evalsha, isPipeline, options } = Object(client)
  const problem = isPipeline
    ? 'a pipeline, in which a script cannot be sent again when the server has forgotten it'
    : typeof evalSha === 'function'
      ? 'a node-redis client'
      : typeof callBuffer !== 'function'
        ? typeof evalsha === 'function'
          ? 'an Upstash client, which cannot carry bytes'
          : String(client)
        : options.readOnly || options.role === 'slave'
          ? 'one that asks replicas (`readOnly` or `role: "slave"`)'
          : options.monitor && 'one that monitors'
  if (problem)
    throw new InvalidOptionError('client', `must be an ioredis client (new Redis or new Cluster), got ${problem}`)
}

/** What Redis refuses before anything has changed, and what to do about it. */
const refusals: Record<string, string> = {
  OOM: 'It is full: raise maxmemory, or keep records for a shorter time.',
  NOREPLICAS: 'Too few replicas follow it (min-replicas-to-write).',
  READONLY: 'It is a replica: connect to the primary, by Sentinels or as a Cluster.',
  MISCONF: 'It cannot write to its disk.',
  LOADING: '',
  MASTERDOWN: '',
  CLUSTERDOWN: '',
  TRYAGAIN: '',
  BUSY: '',
}
const misuses: Record<string, string> = {
  WRONGTYPE: 'Something else than a record has its name: give the store a prefix of its own.',
  NOAUTH: 'Give the client a password.',
  WRONGPASS: 'Give the client the right user and password.',
  NOPERM: 'Its user needs evalsha, eval, time, hget, hmget, hset, hdel, del and pexpireat on the keys with the prefix.',
}

/**
 * Every error of the driver. A reply begins with a code; before Redis 7 the script's own words stand before it.
 *
 * @param mayResend a refusal may then be about the second sending only, and says nothing about the first
 */
export function toStoreError(cause: unknown, mayResend: boolean): IdempotencyError {
  if (cause instanceof StoreUnavailableError || cause instanceof StoreMisconfiguredError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  const code = /^(?:ERR Error running script .*?-)?([A-Z]+)\b/.exec(text)?.[1] ?? ''
  const misuse = /subscriber mode|monitoring mode/.test(text) ? 'Give the store a client of its own.' : misuses[code]
  if (misuse) return new StoreMisconfiguredError(`Redis: ${text}. ${misuse}`, { cause })
  const message = `Redis: ${text}. ${refusals[code] ?? ''}`.trimEnd()
  return new StoreUnavailableError(message, { applied: code in refusals && !mayResend ? 'no' : 'unknown', cause })
}
