import {
  assertKnownOptions,
  assertValueFits,
  type Change,
  type Claim,
  type Duration,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  listRecords,
  PURGE_GRACE_MS,
  type RecordCount,
  reduce,
  TransactionConflictError,
  toMs,
} from '@retryproof/core/store'
import { batched } from './batches.ts'
import { common, owning } from './common.ts'
import {
  beginTurns,
  COMMITTED,
  DURABLY,
  type MongodbCollection,
  type MongodbSession,
  READABLE,
  requireDriver,
} from './driver.ts'
import { codeOf, DUPLICATE_KEY, isConnectionLost, isRolledBack, toCommitError, toStoreError } from './errors.ts'
import { type Seen, toSeen, variablesOf } from './record.ts'
import { requireCollection } from './schema.ts'
import { begin, counting, fields, listable, purgeable, touch, transition } from './statements.ts'

export interface MongodbStoreOptions<Session> {
  /** The collection of the records; `migrate` creates it. The caller owns and closes its client. */
  readonly collection: MongodbCollection<Session>
  /** The time for which `transaction` repeats work that meets a write of another transaction; after it the work fails as a conflict. @default '5s' */
  readonly lockTimeout?: Duration
  /** Lets calls that arrive while others are in flight share a command. @default true */
  readonly batch?: boolean
  /** Replaces the server's clock (ms). For tests only. */
  readonly now?: (() => number) | undefined
}

/** A store with everything but `watch`. */
export type MongodbStore<Session> = IdempotencyStore<Session> &
  Required<Pick<IdempotencyStore<Session>, 'purge' | 'list' | 'count' | 'bind' | 'transaction'>>

const MAX_TRIES = 5
const WRITE_CONFLICT = 112
/** Two values and the rest of a record fit into the 16 MiB of a document. */
const MAX_VALUE_BYTES = 5 * 2 ** 20
const IN_TRANSACTION = {
  readPreference: 'primary',
  readConcern: { level: 'snapshot' },
  writeConcern: DURABLY.writeConcern,
}

/**
 * Keeps records in a collection of MongoDB. What is common takes one command, by the server's clock.
 *
 * @example
 * import { mongodbStore } from '@retryproof/mongodb'
 * import { MongoClient } from 'mongodb'
 *
 * const client = new MongoClient('mongodb://localhost/shop?replicaSet=rs0')
 * const store = mongodbStore({ collection: client.db().collection('idempotency') })
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is out of range
 */
export function mongodbStore<Session extends MongodbSession>(
  options: MongodbStoreOptions<Session>,
): MongodbStore<Session> {
  assertKnownOptions(options, { collection: true, now: true, lockTimeout: true, batch: true })
  const { collection, now, lockTimeout = '5s', batch = true } = options
  requireDriver(collection)
  const lockTimeoutMs = toMs('lockTimeout', lockTimeout)
  const clock = () => now?.() ?? '$$NOW'
  const inTurn = beginTurns(collection.db.client)
  let checked: Promise<void> | undefined

  /** Checks the collection once, before the first call: the server would create a missing one by itself. */
  function check(): Promise<void> {
    checked ??= requireCollection(collection).catch((error) => {
      checked = undefined
      throw toStoreError(error, 'no')
    })
    return checked
  }

  async function* find(filter: object, options: object, variables = {}): AsyncGenerator<Seen & { key: string }> {
    await check()
    try {
      const found = collection.find(filter, { let: { now: clock(), ...variables }, ...COMMITTED, ...options })
      for await (const document of found) yield { key: (document as { _id: string })._id, ...toSeen(document) }
    } catch (error) {
      throw toStoreError(error, 'no')
    }
  }

  /** Runs the command that decides all. */
  async function update(key: string, pipeline: object[], values: object, options: object, tx?: Session): Promise<Seen> {
    if (tx) requireTransaction(tx)
    const stale = tx !== undefined && !isStarting(tx)
    const variables = { now: clock(), touch: stale, ...variablesOf(values) }
    await check()
    const all = { upsert: stale, let: variables, ...options, ...(tx ? { session: tx, ...READABLE } : DURABLY) }
    for (let tries = 1; ; tries++) {
      try {
        return toSeen(await collection.findOneAndUpdate({ _id: key }, pipeline, all))
      } catch (error) {
        // unwrapped, so that the driver of the transaction runs it again
        if (tx && isRolledBack(error)) throw error
        const collided = codeOf(error) === DUPLICATE_KEY
        if (!collided || tx || tries === MAX_TRIES) throw toStoreError(error, collided ? 'no' : 'unknown')
      }
    }
  }

  /** @throws {@link IdempotencyInvalidOptionError} when `tx` is no open transaction of this client */
  function requireTransaction(tx: Session): void {
    const { client = collection.db.client } = tx as { client?: unknown }
    if (client !== collection.db.client) throw new IdempotencyInvalidOptionError('tx', 'is a session of another client')
    if (!tx.inTransaction()) throw new IdempotencyInvalidOptionError('tx', 'no transaction is open on this session')
  }

  /** The pipelines decide as `reduce` does. `reduce` derives the reply from the document that they saw or left. */
  const operations = (tx?: Session) => ({
    async begin(key: string, claim: Claim) {
      assertValueFits(MAX_VALUE_BYTES, claim)
      const options = { projection: fields.begin, returnDocument: 'after', upsert: true }
      const send = () => update(key, begin, claim, options, tx)
      const after = await (tx ? send() : inTurn(send))
      const { reply } = reduce(after.record, { op: 'begin', claim }, after.now)
      // with lease and retention 0 the new record has expired already, and reduce acquires it once more
      return { ...reply, token: after.record?.token ?? reply.token }
    },
    async transition(key: string, token: number, change: Change) {
      assertValueFits(MAX_VALUE_BYTES, change)
      const options = { projection: fields.transition(change.to), returnDocument: 'before' }
      const before = await update(key, transition[change.to], { token, ...change }, options, tx)
      return reduce(before.record, { op: 'transition', token, change }, before.now).reply
    },
    async get(key: string) {
      if (tx) return seen(await update(key, touch, {}, { projection: fields.get }, tx))
      for await (const found of find({ _id: key }, { projection: fields.get, limit: 1 })) return seen(found)
      return null
    },
  })

  const shared = { collection, maxValueBytes: MAX_VALUE_BYTES, check, inTurn, clock }
  const outside = common(operations(), shared)

  async function transaction<T>(work: (tx: Session) => T | Promise<T>): Promise<T> {
    const session = collection.db.client.startSession()
    const requirePatience = patience(lockTimeoutMs)
    let committing = false
    try {
      return await session.withTransaction(async () => {
        committing = false
        const value = await Promise.resolve(session).then(work).catch(requirePatience)
        committing = true
        return value
      }, IN_TRANSACTION)
    } catch (error) {
      if (isRolledBack(error) || (!committing && isConnectionLost(error))) throw toStoreError(error, 'no')
      throw committing ? toCommitError(error) : error
    } finally {
      await session.endSession()
    }
  }

  async function purge({ limit, graceMs: grace = PURGE_GRACE_MS }: { limit: number; graceMs?: number }) {
    const keys: string[] = []
    const options = { projection: fields.facts, limit, batchSize: limit }
    for await (const { key } of find(purgeable, options, { grace })) keys.push(key)
    try {
      const filter = { ...purgeable, _id: { $in: keys } }
      return (await collection.deleteMany(filter, { ...DURABLY, let: { now: clock(), grace } })).deletedCount
    } catch (error) {
      throw toStoreError(error, 'unknown')
    }
  }

  return {
    capabilities: {
      clock: 'store',
      durable: true,
      shared: 'network',
      transactional: 'async',
      snapshotTransactions: true,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    ...owning(batch ? batched(outside, shared) : outside),
    bind: operations,
    transaction,
    purge,
    list: (query) => listRecords(query, find(listable(query), { projection: fields.facts, sort: { _id: 1 } })),
    async count(query) {
      await check()
      try {
        const counted = collection.aggregate(counting(query), { ...COMMITTED, let: { now: clock() } })
        const counts: RecordCount[] = []
        for await (const count of counted) counts.push(count as RecordCount)
        return counts
      } catch (error) {
        throw toStoreError(error, 'no')
      }
    },
  }
}

/** Ends work that meets a write of a transaction that stays open: the driver would run it again for two minutes. */
function patience(lockTimeoutMs: number): (error: unknown) => never {
  let until: number | undefined
  return (error) => {
    if (codeOf(error) !== WRITE_CONFLICT) throw error
    const now = performance.now()
    until ??= now + lockTimeoutMs
    if (now <= until) throw error
    throw new TransactionConflictError(
      'MongoDB: another transaction holds a record that this one writes. This one was rolled back.',
      {
        reason: 'lock-timeout',
        cause: error,
      },
    )
  }
}

const seen = ({ record, now }: Seen) => reduce(record, { op: 'get' }, now).reply

/** Tells whether this is the first statement of a transaction: it sees the current record, later ones read a snapshot. */
function isStarting(session: object): boolean {
  return (session as { transaction?: { isStarting?: boolean } }).transaction?.isStarting === true
}
