import type { IdempotencyStore } from '@retryproof/core'
import type { BeginReply, Change, Claim, StoredRecord } from '@retryproof/core/store'
import type { OpenOptions, StoreHarness } from '../../src/store/harness.ts'
import type { Reply } from '../../src/store/model/command.ts'
import { contract, type Decide, type ReferenceOptions, referenceStore } from '../reference-store.ts'

/** A store with one thing wrong, and the check that must find it. */
export interface BrokenStore {
  readonly name: string
  readonly rejectedBy: string
  readonly harness: () => StoreHarness<Map<string, StoredRecord>>
}

/** A reference store with another decision in place of the contract's. */
export function decides(name: string, rejectedBy: string, decide: Decide): BrokenStore {
  return opens(name, rejectedBy, (options) => referenceStore({ ...options, decide }))
}

/** A reference store with some of its methods replaced. */
export function wraps(
  name: string,
  rejectedBy: string,
  wrap: (
    store: IdempotencyStore<Map<string, StoredRecord>>,
    options: OpenOptions,
  ) => Partial<IdempotencyStore<Map<string, StoredRecord>>>,
  reference: ReferenceOptions = {},
): BrokenStore {
  return opens(name, rejectedBy, (options) => {
    const store = referenceStore({ ...reference, ...options })
    return { ...store, ...wrap(store, options) }
  })
}

/** A store of any making. */
export function opens(
  name: string,
  rejectedBy: string,
  open: (options: OpenOptions) => IdempotencyStore<Map<string, StoredRecord>>,
): BrokenStore {
  return { name, rejectedBy, harness: () => ({ open }) }
}

/** Decides on a `begin` in another way than the contract, where `decide` gives an answer. */
export function onBegin(
  decide: (record: StoredRecord | null, claim: Claim, now: number) => ReturnType<Decide> | undefined,
): Decide {
  return (record, command, now) =>
    (command.op === 'begin' && decide(record, command.claim, now)) || contract(record, command, now)
}

/** The same for transitions. */
export function onTransition(
  decide: (record: StoredRecord | null, token: number, change: Change, now: number) => ReturnType<Decide> | undefined,
): Decide {
  return (record, command, now) =>
    (command.op === 'transition' && decide(record, command.token, command.change, now)) ||
    contract(record, command, now)
}

/** Lets the contract decide, and then changes what is kept. */
export function keeping(
  change: (kept: StoredRecord, before: StoredRecord | null, reply: Reply, now: number) => StoredRecord,
): Decide {
  return (record, command, now) => {
    const decided = contract(record, command, now)
    const kept = decided.record && change(decided.record, record, decided.reply, now)
    return { record: kept, reply: decided.reply }
  }
}

export const begin = (record: StoredRecord | null, claim: Claim, now: number) =>
  contract(record, { op: 'begin', claim }, now)
export const transition = (record: StoredRecord | null, token: number, change: Change, now: number) =>
  contract(record, { op: 'transition', token, change }, now)

export const isLive = (record: StoredRecord | null, now: number): record is StoredRecord =>
  record !== null && record.state !== 'tombstone' && record.expiresAt > now

/** Tells whether a begin finds an attempt that was interrupted or released. */
export const goesOn = (record: StoredRecord | null, claim: Claim, now: number): record is StoredRecord =>
  isLive(record, now) && outcome(begin(record, claim, now).reply) === 'acquired' && record.owner !== claim.owner

export const outcome = (reply: Reply): string | undefined => (reply && 'outcome' in reply ? reply.outcome : undefined)

export const acquired = (reply: Reply): reply is BeginReply => outcome(reply) === 'acquired'
