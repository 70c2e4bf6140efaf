/** A process of a service. */
export interface ServerNode {
  /** `primary`, `replica`, `sentinel`, `router` (PgBouncer), `names` (RabbitMQ) or `member` (MongoDB), as it was at the start. */
  readonly role: string
  readonly host: string
  readonly port: number
  readonly url: string
  readonly pid: number
  readonly version: string
}

/** A process of a service that the caller started. */
export interface OwnNode extends ServerNode {
  /** For freezing: `SIGSTOP`, `SIGCONT`. */
  signal(signal: NodeJS.Signals): void
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>
  /** Starts it again, on the same port and data. */
  start(): Promise<OwnNode>
}

export interface Service<Node extends ServerNode = ServerNode> {
  readonly name: string
  /** Empty when it is missing. */
  readonly version: string
  /** Name and version, for the title of a test. */
  readonly title: string
  /** Why it cannot be had, else undefined. */
  readonly missing: string | undefined
  /** Empty when it is missing. */
  readonly url: string
  /** Its origin. */
  readonly source: string
  readonly nodes: readonly Node[]
  stop(): Promise<void>
}

export interface ServiceOptions {
  /** fsync and the like as in production. @default false */
  readonly durable?: boolean
  /** More arguments for the server; for PostgreSQL settings like `'max_connections=50'`. */
  readonly args?: readonly string[]
  /** Members of the replica set (mongodb). @default 1 */
  readonly nodes?: number
  /** A server that is in no replica set (mongodb). @default false */
  readonly alone?: boolean
  /** Replicas (redis-replica). @default 1 */
  readonly replicas?: number
  /** The server that the shapes of Redis run. @default 'redis' */
  readonly server?: 'redis' | 'redis8' | 'valkey'
}

export type ServiceName =
  | 'redis'
  | 'redis-replica'
  | 'redis-cluster'
  | 'redis-sentinel'
  | 'redis8'
  | 'valkey'
  | 'postgres'
  | 'postgres-replica'
  | 'postgres18'
  | 'pgbouncer'
  | 'mariadb'
  | 'mysql'
  | 'mongodb'
  | 'nats'
  | 'rabbitmq'
  | 'kafka'
  | 'sqs'
  | 'memcached'

export type Kind =
  | 'redis'
  | 'redis-cluster'
  | 'postgres'
  | 'pgbouncer'
  | 'mysql'
  | 'mongodb'
  | 'nats'
  | 'rabbitmq'
  | 'kafka'
  | 'sqs'
  | 'memcached'

/** The server of that name that the whole run shares: never stop, flush or reconfigure it. Throws when it is missing and CI is set. */
export function service(name: ServiceName, options?: ServiceOptions): Promise<Service>
/** Every server on which a store of that kind is to be tested: at least one, which may be missing. */
export function services(kind: Kind, options?: ServiceOptions): Promise<Service[]>
/** Why `startService` cannot start it here, or undefined. Throws that when CI is set. */
export function unavailable(name: ServiceName, options?: ServiceOptions): Promise<string | undefined>
/** A server of the caller's own. Throws when it cannot be had. */
export function startService(name: ServiceName, options?: ServiceOptions): Promise<Service<OwnNode>>
