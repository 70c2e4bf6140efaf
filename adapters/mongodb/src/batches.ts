/** Calls that share a command: what is common is answered, the rest is left to calls of their own. */
import { createLanes, within } from '@retryproof/core/internal'
import type { BeginReply, Claim, TransitionReply } from '@retryproof/core/store'
import { met, type Operations, type Shared, won } from './common.ts'
import { COMMITTED, DURABLY, type MongodbSession, type UpdateOne } from './driver.ts'
import { codeOf, failedOf, toStoreError } from './errors.ts'
import type { Stored } from './record.ts'
import { fields, insertion, isSettlement, type Settlement, settlement, termsOf } from './statements.ts'

interface Begin {
  readonly key: string
  readonly claim: Claim
}

interface Settle {
  readonly key: string
  readonly token: number
  readonly change: Settlement
}

/** Bytes of a call beside its values. */
const OVERHEAD = 1024
const LANE_MS = 10_000
/** Bounds the time for which a batch waits for a key that an open transaction has written. */
const BATCH_MS = 2000
const MAX_TIME_EXPIRED = 50
/** A shorter lease could be over, and the record taken over, before the batch has read its token. */
const MIN_LEASE_MS = 2 * BATCH_MS
const isOutOfTime = (error: unknown) => codeOf(error) === MAX_TIME_EXPIRED

/** Returns the operations, of which concurrent calls share commands. */
export function batched<Session extends MongodbSession>(
  { begin, transition, get }: Operations,
  shared: Shared<Session>,
): Operations {
  const sendBegin = createLanes<Begin, BeginReply>({
    one: ({ key, claim }) => begin(key, claim),
    many(calls) {
      let isLate = false
      const late = () => {
        isLate = true
        return Object.assign(new Error('A key of the batch is held.'), { code: MAX_TIME_EXPIRED })
      }
      // MongoDB 6.0 ends an update that waits, but no insertion
      return within(
        BATCH_MS,
        shared.inTurn(async () => (isLate ? [] : beginMany(calls, shared))),
        late,
      )
    },
    // what took effect of it is found by its owner
    isRefused: isOutOfTime,
    sizeOf: ({ claim }) => OVERHEAD + (claim.request?.length ?? 0),
    timeoutMs: LANE_MS,
  })
  const sendSettle = createLanes<Settle, TransitionReply>({
    one: ({ key, token, change }) => transition(key, token, change),
    many: (calls) => settleMany(calls, shared),
    // a settlement that took effect is found by its token
    isRefused: isOutOfTime,
    sizeOf: ({ change }) => OVERHEAD + change.result.length,
    timeoutMs: LANE_MS,
  })
  return {
    begin(key, claim) {
      if (claim.leaseMs < MIN_LEASE_MS) return begin(key, claim)
      return sendBegin({ key, claim })
    },
    transition(key, token, change) {
      if (!isSettlement(change)) return transition(key, token, change)
      return sendSettle({ key, token, change })
    },
    get,
  }
}

/**
 * Inserts the records that are missing, then reads those of all calls: as a majority has them, and no older than the
 * insertion. Nobody but the reply to the insertion tells who has won, and nobody but the record with which token.
 */
async function beginMany<Session extends MongodbSession>(calls: readonly Begin[], shared: Shared<Session>) {
  await shared.check()
  const { collection, clock } = shared
  const session = collection.db.client.startSession()
  try {
    const insertions = calls.map(({ key, claim }) => upsert(key, insertion(claim)))
    const { inserted } = await update(insertions, shared, { maxTimeMS: BATCH_MS, session })
    const keys = [...new Set(calls.map(({ key }) => key))]
    const bounds = { limit: keys.length, batchSize: keys.length }
    const options = { projection: fields.metByMany, let: { now: clock() }, session, ...bounds, ...COMMITTED }
    const found = new Map<string, Stored>()
    for await (const document of collection.find({ _id: { $in: keys } }, options)) {
      found.set((document as Stored)._id, document as Stored)
    }
    return calls.map(({ key, claim }, index) =>
      inserted.has(index) ? won(found.get(key), claim) : met(found.get(key), claim),
    )
  } catch (error) {
    throw isOutOfTime(error) ? error : toStoreError(error, 'unknown')
  } finally {
    await session.endSession()
  }
}

/** Settles the attempts that hold their keys. */
async function settleMany<Session>(calls: readonly Settle[], shared: Shared<Session>) {
  await shared.check()
  try {
    const settlements = calls.map(({ key, token, change }) => upsert(key, settlement(token, change, null)))
    const { failed } = await update(settlements, shared, { maxTimeMS: BATCH_MS })
    return calls.map((_, index) => (failed.has(index) ? undefined : ({ outcome: 'ok', applied: true } as const)))
  } catch (error) {
    throw isOutOfTime(error) ? error : toStoreError(error, 'unknown')
  }
}

const upsert = (key: string, pipeline: object[]): UpdateOne => ({
  updateOne: { filter: { _id: key }, update: pipeline, upsert: true },
})

/** Sends updates as one command. Returns which inserted a document, and which failed and changed nothing. */
async function update<Session>(updates: UpdateOne[], { collection, clock }: Shared<Session>, bounds: object) {
  const options = { ordered: false, let: termsOf(clock()), ...bounds, ...DURABLY }
  const { upsertedIds, failed } = await collection.bulkWrite(updates, options).then(
    (result) => ({ ...result, failed: [] }),
    (error) => failedOf(error),
  )
  return { inserted: new Set(Object.keys(upsertedIds).map(Number)), failed: new Set(failed) }
}
