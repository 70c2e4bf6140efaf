/** Opens the store that a command works on: by its address, or by a configuration of the project. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createIdempotency, type Idempotency, type IdempotencyStore, isIdempotencyError } from '@retryproof/core'
import { describeThrown, namespaceSlug } from '@retryproof/core/internal'
import { createJiti } from 'jiti'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { openMongodb } from '../stores/mongodb.ts'
import { openMysql } from '../stores/mysql.ts'
import type { OpenedStore, StoreAddress } from '../stores/opened-store.ts'
import { openPostgres } from '../stores/postgres.ts'
import { openRedis } from '../stores/redis.ts'
import { openSqlite } from '../stores/sqlite.ts'
import { readJson } from './read-json.ts'
import type { Target } from './target.ts'

export interface TargetOptions {
  readonly store?: string
  readonly config?: string
  readonly namespace?: string
  readonly table?: string
}

const OPENERS: Readonly<Record<string, Open>> = {
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
const CONFIGS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json'].map((ending) => `retryproof.config.${ending}`)

/** @throws {@link CliError} when no store is named, or the one that is named cannot be opened */
export async function openTarget(io: CliIo, options: TargetOptions): Promise<Target> {
  if (options.store !== undefined && options.config !== undefined)
    throw new CliError('Give --store or --config, and not both.')
  // a variable that is empty is none
  const named = options.config === undefined ? io.env.RETRYPROOF_STORE?.trim() || undefined : undefined
  const url = options.store ?? named
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
      `The address of the store does not begin with one of ${Object.keys(OPENERS).join(' ')}, as --store and RETRYPROOF_STORE do.`,
    )
  const opened = await openReadable(open, { url, table, cwd: io.cwd, now: () => io.now() })
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
    explain: opened.explain?.bind(opened),
    close: () => opened.close(),
  }
}

type Open = (address: StoreAddress) => Promise<OpenedStore>

/** @throws {@link CliError} when the address cannot be read. No server is asked */
async function openReadable(open: Open, address: StoreAddress): Promise<OpenedStore> {
  try {
    // an address of several hosts, as MongoDB has them, is no URL, and the driver reads it
    if (!/^(sqlite|mongodb)\b/i.test(address.url)) new URL(address.url)
    return await open(address)
  } catch (error) {
    if (error instanceof CliError || isIdempotencyError(error)) throw error
    throw new CliError(
      `The address of the store cannot be read: ${(error as Error).message}. Write each of @ : / ? # % in a user or a password by its ` +
        'number: %40 %3A %2F %3F %23 %25.',
    )
  }
}

interface Config {
  readonly idempotency?: Idempotency | Promise<Idempotency>
  readonly store?: IdempotencyStore<never> | Promise<IdempotencyStore<never>> | string
  readonly namespace?: string
  readonly table?: string
  migrate?(): Promise<void>
  close?(): Promise<void>
}

async function openByConfig(io: CliIo, file: string, options: TargetOptions): Promise<Target> {
  if (!existsSync(file)) throw new CliError(`The configuration ${file} does not exist.`)
  const config = await readConfig(io.cwd, file)
  if (typeof config.store === 'string') return openByAddress(io, config.store, { ...pick(config), ...options })
  const store = await config.store
  const idempotency = await config.idempotency
  if (!isInstance(idempotency))
    throw new CliError(
      `${file} exports no instance: export const idempotency = createIdempotency({ … }).`,
      exitCodes.usage,
    )
  if (options.table !== undefined)
    throw new CliError(`${file} exports an instance, which has its table: leave out --table.`)
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

async function readConfig(cwd: string, file: string): Promise<Config> {
  if (file.endsWith('.json')) return readAddress(file, await readJson(cwd, file))
  try {
    return await loadConfig(file)
  } catch (error) {
    throw new CliError(`The configuration ${file} cannot be loaded: ${describeThrown(error)}`)
  }
}

async function loadConfig(file: string): Promise<Config> {
  const loaded = await createJiti(file, { moduleCache: false }).import<Exports>(file)
  const exported = await loaded.default
  if (isInstance(exported)) return { ...loaded, idempotency: exported }
  return { ...exported, ...loaded }
}

const MEMBERS: readonly string[] = ['store', 'namespace', 'table']

/** @throws {@link CliError} when the JSON names no store, or has a member that would be left out */
function readAddress(file: string, json: unknown): Config {
  const config = Object(json) as Config
  const wrong = Object.entries(config).find(([name, value]) => !MEMBERS.includes(name) || typeof value !== 'string')
  if (typeof config.store === 'string' && !wrong) return config
  const reason = wrong ? `its member '${wrong[0]}' is none of them` : 'it has no `store`'
  throw new CliError(`${file} exports no instance, and as JSON it has texts for ${MEMBERS.join(', ')}: ${reason}.`)
}

function isInstance(value: unknown): value is Idempotency {
  return typeof (value as Partial<Idempotency> | undefined)?.eraseScope === 'function'
}
