/** The options of the console, checked. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { assertKnownNames, namespaceSlug } from '@retryproof/core/internal'

/** The methods of an instance that the console calls. */
export type ConsoleInstance = Pick<
  Idempotency,
  'namespace' | 'list' | 'count' | 'inspect' | 'resolve' | 'forget' | 'eraseScope' | 'operation' | 'on'
>

/** A person who may see the console. */
export interface ConsoleUser {
  /** Stands on every page and in every action. */
  readonly name: string
  /** May look, and change nothing. @default false */
  readonly readOnly?: boolean
}

/** The answer of `authorize`. `null`: nobody is signed in (401). `false`: this person may not (403). A response is sent as it is, and not cached. */
export type Authorized<User extends ConsoleUser> = User | Response | null | undefined | false

export type ConsoleActionName = 'complete' | 'respond' | 'fail' | 'rerun' | 'forget' | 'erase'

/** One change that a person asked for. */
export interface ConsoleAction<User extends ConsoleUser = ConsoleUser> {
  readonly action: ConsoleActionName
  readonly user: User
  readonly at: Date
  readonly namespace: string
  /** The storage key; undefined for `erase`. */
  readonly key?: string
  /** The erased scope. */
  readonly scope?: readonly string[]
  /** `'refused'`: the user may only read, or the record changed before. `'failed'`: `error` says why, and the change may have been made. */
  readonly outcome: 'done' | 'refused' | 'failed'
  /** The number of erased records. */
  readonly records?: number
  readonly error?: unknown
}

export interface ConsoleOptions<User extends ConsoleUser = ConsoleUser> {
  /** The instance whose records the page shows, or one for each namespace. */
  readonly idempotency: ConsoleInstance | readonly ConsoleInstance[]
  /** Tells who sent a request. Every request is asked for, before anything else is done. */
  readonly authorize: (request: Request) => Authorized<User> | Promise<Authorized<User>>
  /** Shows no action, and refuses each. @default false */
  readonly readOnly?: boolean
  /** Receives every action when it is over, for an audit log. The page waits for it, and tells when it fails. */
  readonly onAction?: (action: ConsoleAction<User>) => void | Promise<void>
  /** The path at which the application mounts the page. @default '/idempotency' */
  readonly basePath?: string
  /** The path at which browsers see the page, where a proxy changes it. @default the one of `basePath` */
  readonly publicPath?: string
}

export interface ReadOptions<User extends ConsoleUser> {
  /** The instances by the form of their namespace in storage keys, in the order of keys. */
  readonly instances: ReadonlyMap<string, ConsoleInstance>
  readonly authorize: ConsoleOptions<User>['authorize']
  readonly readOnly: boolean
  readonly onAction: (action: ConsoleAction<User>) => void | Promise<void>
  /** Without a slash at its end; empty at the root. */
  readonly basePath: string
  /** As `basePath`. */
  readonly publicPath: string
}

const NAMES: readonly (keyof ConsoleOptions)[] = [
  'idempotency',
  'authorize',
  'readOnly',
  'onAction',
  'basePath',
  'publicPath',
]

/** @throws {@link IdempotencyInvalidOptionError} when an option is missing, unknown or of another type */
export function readOptions<User extends ConsoleUser>(options: ConsoleOptions<User>): ReadOptions<User> {
  assertKnownNames(options, NAMES)
  const { idempotency, authorize, readOnly = false, onAction = () => undefined } = options
  const { basePath = '/idempotency', publicPath = basePath } = options
  requireFunction('authorize', authorize, 'the page shows requests and results, and must not be open to everybody')
  requireFunction('onAction', onAction, 'it receives each action')
  if (typeof readOnly !== 'boolean') throw new IdempotencyInvalidOptionError('readOnly', 'must be true or false')
  const paths = { basePath: readPath('basePath', basePath), publicPath: readPath('publicPath', publicPath) }
  return { instances: readInstances(idempotency), authorize, readOnly, onAction, ...paths }
}

function requireFunction(option: string, value: unknown, reason: string): void {
  if (typeof value !== 'function') throw new IdempotencyInvalidOptionError(option, `must be a function: ${reason}`)
}

function readInstances(given: ConsoleOptions['idempotency']): ReadonlyMap<string, ConsoleInstance> {
  const bySlug = new Map<string, ConsoleInstance>()
  for (const instance of [given].flat() as readonly Partial<ConsoleInstance>[]) {
    if (typeof instance?.list !== 'function' || typeof instance.namespace !== 'string')
      throw new IdempotencyInvalidOptionError(
        'idempotency',
        'must be what `createIdempotency` returned, or a list of these',
      )
    const slug = namespaceSlug(instance.namespace)
    if (bySlug.has(slug))
      throw new IdempotencyInvalidOptionError('idempotency', `holds two instances of the namespace '${slug}'`)
    bySlug.set(slug, instance as ConsoleInstance)
  }
  if (bySlug.size === 0) throw new IdempotencyInvalidOptionError('idempotency', 'must hold an instance')
  // the dot of the keys counts: those of `shop-eu.` stand before those of `shop.`
  return new Map([...bySlug].sort(([one], [other]) => (`${one}.` < `${other}.` ? -1 : 1)))
}

function readPath(option: 'basePath' | 'publicPath', path: string): string {
  if (typeof path === 'string' && /^(\/[\w.~-]+)*\/?$/.test(path)) return path.replace(/\/$/, '')
  throw new IdempotencyInvalidOptionError(option, `must be a path such as '/idempotency', got '${path}'`)
}
