/** Opens the store that a command works on: by its address, or by a configuration of the project. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createIdempotency, type Idempotency, type IdempotencyStore } from '@retryproof/core'
import { namespaceSlug } from '@retryproof/core/internal'
import { createJiti } from 'jiti'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { openMongodb } from '../stores/mongodb.ts'
import { openMysql } from '../stores/mysql.ts'
import type { OpenedStore, StoreAddress } from '../stores/opened-store.ts'
import { openPostgres } from '../stores/postgres.ts'
import { openRedis } from '../stores/redis.ts'
import { openSqlite } from '../stores/sqlite.ts'
import type { Target } from './target.ts'

export interface TargetOptions {
  readonly store?: string
  readonly config?: string
  readonly namespace?: string
  readonly table?: string
}

const OPENERS: Readonly<Record<string, (address: StoreAddress) => Promise<OpenedStore>>> = {
  'postgres:': openPostgres,
  'postgresql:': openPostgres,
  'mysql:': openMysql,
  'mariadb:': openMysql,
  'mongodb:': openMongodb,
  'mongodb+srv:': openMongodb,
  'redis:': openRedis,
  'rediss:': openRedis,
  'sqlite:': openSqlite,
}
const CONFIGS = ['ts', 'js', 'mjs', 'json'].map((ending) => `retryproof.config.${ending}`)

/** @throws {@link CliError} when no store is named, or the one that is named cannot be opened */
export async function openTarget(io: CliIo, options: TargetOptions): Promise<Target> {
  const url = options.store ?? (options.config === undefined ? io.env.RETRYPROOF_STORE : undefined)
  if (url !== undefined) return openByAddress(io, url, options)
  const file = options.config ?? CONFIGS.find((name) => existsSync(join(io.cwd, name)))
  if (file !== undefined) return openByConfig(io, resolve(io.cwd, file), options)
  throw new CliError(
    'No store is named. Give --store with an address (postgres://, mysql://, mongodb://, redis://, sqlite:), set ' +
      'RETRYPROOF_STORE, or write a retryproof.config.ts.',
  )
}

async function openByAddress(io: CliIo, url: string, { namespace, table }: TargetOptions): Promise<Target> {
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*:/i.exec(url) ?? []
  const open = OPENERS[scheme.toLowerCase()]
  if (!open)
    throw new CliError(
      `--store does not begin with one of ${Object.keys(OPENERS).join(' ')}, as in redis://localhost:6379.`,
    )
  const opened = await open({ url, table, cwd: io.cwd, now: () => io.now() })
  const secret = io.env.RETRYPROOF_SECRET
  return {
    kind: opened.kind,
    get store() {
      return opened.store
    },
    namespace,
    instance(name = namespace) {
      if (name === undefined) throw new CliError('Say whose records: --namespace NAME.')
      return createIdempotency({
        store: opened.store,
        namespace: name,
        purge: false,
        ...(secret !== undefined && { secret }),
      })
    },
    schema: () => opened.schema(),
    migrate: () => opened.migrate(),
    findings: () => opened.findings(),
    expired: opened.expired && (() => opened.expired?.() ?? Promise.resolve(0)),
    bytes: opened.bytes?.bind(opened),
    close: () => opened.close(),
  }
}

interface Config {
  readonly idempotency?: Idempotency | Promise<Idempotency>
  readonly store?: IdempotencyStore<never> | string
  readonly namespace?: string
  readonly table?: string
  migrate?(): Promise<void>
  close?(): Promise<void>
}

async function openByConfig(io: CliIo, file: string, options: TargetOptions): Promise<Target> {
  if (!existsSync(file)) throw new CliError(`The configuration ${file} does not exist.`)
  const config = await readConfig(file)
  if (typeof config.store === 'string') return openByAddress(io, config.store, { ...pick(config), ...options })
  const { store } = config
  const idempotency = await config.idempotency
  if (!isInstance(idempotency))
    throw new CliError(
      `${file} exports no instance: export const idempotency = createIdempotency({ … }).`,
      exitCodes.usage,
    )
  // an instance has one namespace: to act in it when another was asked for would destroy what nobody named
  if (options.namespace !== undefined && namespaceSlug(options.namespace) !== namespaceSlug(idempotency.namespace))
    throw new CliError(`${file} exports the instance of the namespace '${idempotency.namespace}', and no other.`)
  return {
    kind: undefined,
    store,
    namespace: idempotency.namespace,
    instance: () => idempotency,
    ...(config.migrate && { migrate: () => config.migrate?.() ?? Promise.resolve() }),
    close: async () => config.close?.(),
  }
}

const pick = ({ namespace, table }: Config): TargetOptions => ({
  ...(namespace !== undefined && { namespace }),
  ...(table !== undefined && { table }),
})

interface Exports extends Config {
  readonly default?: Config | Idempotency | Promise<Config | Idempotency>
}

async function readConfig(file: string): Promise<Config> {
  if (file.endsWith('.json')) return parseConfig(file, await readFile(file, 'utf8'))
  const loaded = await createJiti(file, { moduleCache: false }).import<Exports>(file)
  const exported = await loaded.default
  if (isInstance(exported)) return { ...loaded, idempotency: exported }
  return { ...exported, ...loaded }
}

/** The message of `JSON.parse` quotes the text, which may hold a password. */
function parseConfig(file: string, text: string): Config {
  try {
    return Object(JSON.parse(text)) as Config
  } catch {
    throw new CliError(`The configuration ${file} holds no JSON.`)
  }
}

function isInstance(value: unknown): value is Idempotency {
  return typeof (value as Partial<Idempotency> | undefined)?.eraseScope === 'function'
}
