/** Types of the MongoDB driver, as far as the store uses it, and turns on the connections of a client. */
import { createTurns, describeKind, type Turns } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError, StoreUnavailableError } from '@retryproof/core/store'

/** The methods of a collection that the store calls. */
export interface MongodbCollection<Session = unknown> {
  readonly collectionName: string
  readonly db: {
    readonly client: { startSession(): Session; readonly options?: { readonly maxPoolSize?: number } }
    createCollection(name: string): Promise<unknown>
    listCollections(filter: object, options: object): { toArray(): Promise<unknown[]> }
  }
  createIndexes(indexes: IndexSpecification[]): Promise<unknown>
  findOneAndUpdate(filter: object, update: object[], options: object): Promise<unknown>
  updateOne(filter: object, update: object[], options: object): Promise<{ readonly modifiedCount: number }>
  bulkWrite(operations: UpdateOne[], options: object): Promise<{ readonly upsertedIds: object }>
  find(filter: object, options: object): AsyncIterable<unknown>
  aggregate(pipeline: object[], options: object): AsyncIterable<unknown>
  deleteMany(filter: object, options: object): Promise<{ readonly deletedCount: number }>
}

/** An index, as `createIndexes` takes it. */
export interface IndexSpecification {
  readonly name: string
  readonly key: Record<string, 1>
  readonly expireAfterSeconds: number
}

/** An update of one document, as `bulkWrite` takes it. */
export interface UpdateOne {
  readonly updateOne: { readonly filter: object; readonly update: object[]; readonly upsert: true }
}

/** The methods of a session that the store calls. */
export interface MongodbSession {
  inTransaction(): boolean
  withTransaction<T>(work: () => Promise<T>, options: object): Promise<T>
  endSession(): Promise<void>
}

/** Options of each call, which override the defaults of the client. */
export const READABLE = {
  promoteValues: true,
  promoteLongs: true,
  promoteBuffers: true,
  useBigInt64: false,
  raw: false,
}
export const DURABLY = { ...READABLE, writeConcern: { w: 'majority', j: true } }
export const COMMITTED = { ...READABLE, readPreference: 'primary', readConcern: { level: 'majority' } }

/** @throws {@link IdempotencyInvalidOptionError} when `collection` is none, such as its name, its database or its client */
export function requireDriver(collection: unknown): void {
  if (typeof Object(collection).findOneAndUpdate === 'function' && Object(collection).db?.client) return
  throw new IdempotencyInvalidOptionError(
    'collection',
    `must be a collection of mongodb, such as client.db().collection('idempotency'), got ${describeKind(collection)}`,
  )
}

const TURN_MS = 60_000
/** The driver's own default. */
const MAX_POOL_SIZE = 100
const turnsOfClients = new WeakMap<object, Turns>()

/**
 * The turns of begins on a client. A begin that meets an open transaction waits on the server, and keeps its connection until
 * that transaction ends, which takes connections too: half of them are left to it.
 */
export function beginTurns(client: MongodbCollection['db']['client']): Turns {
  const known = turnsOfClients.get(client)
  if (known) return known
  const connections = client.options?.maxPoolSize ?? MAX_POOL_SIZE
  // 0 says that nothing is limited
  const limit = connections === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(connections / 2))
  const message = `MongoDB: ${limit} calls wait for open transactions, and none ended within ${TURN_MS} ms. Raise maxPoolSize.`
  const turns = createTurns(limit, TURN_MS, () => new StoreUnavailableError(message, { applied: 'no' }))
  turnsOfClients.set(client, turns)
  return turns
}
