/** Short commands, which decide what is common, and leave everything else to the full ones. */
import type { Turns } from '@retryproof/core/internal'
import {
  assertValueFits,
  type BeginReply,
  type Claim,
  type RecordStore,
  reduce,
  StoreUnavailableError,
  type TransitionReply,
} from '@retryproof/core/store'
import { DURABLY, type MongodbCollection } from './driver.ts'
import { codeOf, DUPLICATE_KEY, toStoreError } from './errors.ts'
import { copy, isRecord, type Stored, toSeen } from './record.ts'
import { fields, insertion, isSettlement, type Settlement, settlement, termsOf } from './statements.ts'

export type Operations = Pick<RecordStore, 'begin' | 'transition' | 'get'>

/** Parts of the store that its short commands and batches use. */
export interface Shared<Session> {
  readonly collection: MongodbCollection<Session>
  readonly maxValueBytes: number
  check(): Promise<void>
  readonly inTurn: Turns
  clock(): number | '$$NOW'
}

/** Returns the operations, which send the full command only where a short one has changed nothing and has no reply. */
export function common<Session>(full: Operations, shared: Shared<Session>): Operations {
  const { maxValueBytes, inTurn } = shared
  return {
    async begin(key, claim) {
      assertValueFits(maxValueBytes, claim)
      return (await inTurn(() => insert(key, claim, shared))) ?? full.begin(key, claim)
    },
    async transition(key, token, change) {
      if (!isSettlement(change)) return full.transition(key, token, change)
      assertValueFits(maxValueBytes, change)
      return (await settle(key, token, change, shared)) ?? full.transition(key, token, change)
    },
    get: full.get,
  }
}

/** Copies the bytes of calls for short commands and batches, which are sent late, when a caller may have reused its buffers. */
export function owning({ begin, transition, get }: Operations): Operations {
  return {
    begin: (key, claim) => begin(key, claim.request ? { ...claim, request: copy(claim.request) } : claim),
    transition: (key, token, change) =>
      transition(key, token, isSettlement(change) ? { ...change, result: copy(change.result) } : change),
    get,
  }
}

interface Found {
  readonly value: Stored
  readonly lastErrorObject: { readonly upserted?: unknown }
}

async function insert<Session>(key: string, claim: Claim, { collection, check, clock }: Shared<Session>) {
  const options = {
    projection: fields.met,
    returnDocument: 'after',
    upsert: true,
    includeResultMetadata: true,
    let: termsOf(clock()),
    ...DURABLY,
  }
  const pipeline = insertion(claim)
  await check()
  try {
    const found = (await collection.findOneAndUpdate({ _id: key }, pipeline, options)) as Found
    return found.lastErrorObject.upserted === undefined ? met(found.value, claim) : won(found.value, claim)
  } catch (error) {
    if (codeOf(error) === DUPLICATE_KEY) return undefined
    throw toStoreError(error, 'unknown')
  }
}

/** The reply to a claim that inserted its record. */
export function won(document: Stored | undefined, claim: Claim): BeginReply {
  if (document?.owner !== claim.owner) {
    const message = 'MongoDB: another writer changed a record of the batch before its token was read.'
    throw new StoreUnavailableError(message, { applied: 'unknown' })
  }
  return { ...reduce(null, { op: 'begin', claim }, 0).reply, token: document.token }
}

/** The reply to a claim that met a record, if it needs no write, and nothing that was not read. */
export function met(document: Stored | undefined, claim: Claim): BeginReply | undefined {
  if (!document || !isRecord(document)) return undefined
  const { record, now } = toSeen(document)
  const { reply } = reduce(record, { op: 'begin', claim }, now)
  const lacksResult = reply.outcome === 'settled' && reply.state !== 'parked' && reply.result === null
  return reply.outcome === 'acquired' || lacksResult ? undefined : reply
}

async function settle<Session>(
  key: string,
  token: number,
  change: Settlement,
  { collection, check, clock }: Shared<Session>,
): Promise<TransitionReply | undefined> {
  const pipeline = settlement(token, change, '$$ROOT')
  await check()
  try {
    const { modifiedCount } = await collection.updateOne({ _id: key }, pipeline, { let: termsOf(clock()), ...DURABLY })
    return modifiedCount === 1 ? { outcome: 'ok', applied: true } : undefined
  } catch (error) {
    throw toStoreError(error, 'unknown')
  }
}
