/** A store in Redis or Valkey, by `ioredis`. */
import { type IdempotencyStore, isIdempotencyError, StoreUnavailableError } from '@retryproof/core'
import { checkClock, checkVersion, type Finding, findingOf, problem, warning } from '../checks/finding.ts'
import { loadModule } from '../target/load-module.ts'
import type { OpenedStore, StoreAddress } from './opened-store.ts'

interface Client {
  connect(): Promise<void>
  info(): Promise<string>
  time(): Promise<[string | number, string | number]>
  disconnect(): void
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): void
}
interface Adapter {
  redisStore(options: object): IdempotencyStore<never> & { check(): Promise<void> }
}

const NEEDED = ['@retryproof/redis', 'ioredis']

export async function openRedis({ url, table, cwd, now }: StoreAddress): Promise<OpenedStore> {
  const adapter = await loadModule<Adapter>(cwd, '@retryproof/redis', NEEDED)
  const driver = await loadModule<{ Redis: new (url: string, options: object) => Client }>(cwd, 'ioredis', NEEDED)
  const client = new driver.Redis(url, {
    connectTimeout: 5000,
    // a server that is frozen, or no Redis, accepts a connection and never answers
    commandTimeout: 10_000,
    maxRetriesPerRequest: 1,
    // a command line tells of an outage at once
    retryStrategy: (times: number) => (times > 2 ? null : 100),
  })
  let reason: NodeJS.ErrnoException | undefined
  client.on('error', (error) => {
    reason = error
  })
  // evicted records are a finding, and no reason not to look at those that are there
  const store = adapter.redisStore({ client, allowEviction: true, ...(table !== undefined && { prefix: table }) })
  const strict = () => adapter.redisStore({ client, ...(table !== undefined && { prefix: table }) })
  return {
    kind: 'redis',
    store,
    schema: () => 'Redis needs no schema: the store creates its keys.\n',
    // there is nothing to create: a server that answers is in place
    migrate: async () => void (await store.get('retryproof.migrate')),
    findings: () => findings(client, strict, now),
    explain(error) {
      // the driver says at the end only that it gave up
      const gaveUp =
        isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && /max retries|is closed/.test(error.message)
      if (!gaveUp || !reason) return undefined
      return new StoreUnavailableError(`Redis: ${reason.message || reason.code}.`, {
        applied: error.applied,
        cause: error,
      })
    },
    close: async () => client.disconnect(),
  }
}

async function findings(
  client: Client,
  strict: () => { check(): Promise<void> },
  now: () => number,
): Promise<Finding[]> {
  const info = await client.info().catch(() => '')
  const setting = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
  // a server that refuses INFO tells no version
  const found = checkVersion('Redis', setting('redis_version') ?? '7.0', '7.0')
  if (found.length > 0) return found
  await strict()
    .check()
    .catch((error: unknown) => found.push(findingOf(error)))
  if (setting('aof_enabled') === '0')
    found.push(
      warning(
        'appendonly is off: a restart loses the records since the last snapshot, and their writes run again.',
        'Set appendonly yes, and appendfsync always where no write may run twice.',
      ),
    )
  if (setting('rdb_last_bgsave_status') === 'err' || setting('aof_last_write_status') === 'err')
    found.push(problem('The last write to disk failed.', 'Look at the disk and the log of the server.'))
  const [seconds, micros] = await client.time().catch(() => [now() / 1000, 0] as const)
  return [...found, ...checkClock(Number(seconds) * 1000 + Number(micros) / 1000, now())]
}
