/**
 * The contract of a store as one pure function: what each operation answers, and what it leaves behind.
 * A store is conformant when it behaves as `reduce` applied to its record under one atomic step.
 *
 * Times are whole microseconds of the store's clock; expiry is half-open: a record is live while `expiresAt > now`.
 */
import type { BeginReply, Change, Checkpoint, Claim, RecordState, RecordView, TransitionReply } from './store.ts'
import { toUs } from './units.ts'

/** A record as a store keeps it. A tombstone is logically absent, and keeps its token from being given out again. */
export interface StoredRecord {
  readonly state: RecordState | 'tombstone'
  readonly token: number
  readonly owner: string
  readonly fingerprint: string
  readonly attempt: number
  readonly interrupted: boolean
  readonly leaseUntil: number
  readonly expiresAt: number
  readonly request: Uint8Array | null
  readonly checkpoint: Checkpoint | null
  readonly result: Uint8Array | null
}

/** One operation of the port, as data. */
export type Command =
  | { readonly op: 'begin'; readonly claim: Claim }
  | { readonly op: 'transition'; readonly token: number; readonly change: Change }
  | { readonly op: 'get' }

/** The result of a command: the record (the same object if nothing changed) and the reply. */
export interface Reduced<Reply> {
  readonly record: StoredRecord | null
  readonly reply: Reply
}

type Values = 'work' | 'result' | 'all' | 'none'

const ms = (microseconds: number): number => Math.ceil(microseconds / 1000)

/**
 * Applies one command to one record at one moment (`now`: whole µs of the store's clock).
 *
 * @example
 * import { reduce } from '@retryproof/core/store'
 *
 * const claim = { owner: 'owner_1', fingerprint: 'f1', leaseMs: 30_000, retentionMs: 86_400_000 }
 * const { record, reply } = reduce(null, { op: 'begin', claim }, Date.now() * 1000)
 * console.log(reply.outcome, record?.token) // 'acquired', and its token
 */
export function reduce(
  record: StoredRecord | null,
  command: Extract<Command, { op: 'begin' }>,
  now: number,
): Reduced<BeginReply>
export function reduce(
  record: StoredRecord | null,
  command: Extract<Command, { op: 'transition' }>,
  now: number,
): Reduced<TransitionReply>
export function reduce(
  record: StoredRecord | null,
  command: Extract<Command, { op: 'get' }>,
  now: number,
): Reduced<RecordView | null>
export function reduce(
  record: StoredRecord | null,
  command: Command,
  now: number,
): Reduced<BeginReply | TransitionReply | RecordView | null> {
  switch (command.op) {
    case 'begin':
      return begin(record, command.claim, now)
    case 'transition':
      return transition(record, command.token, command.change, now)
    case 'get':
      return { record, reply: isLive(record, now) ? view(record, record.state, now, 'all') : null }
  }
}

type Live = StoredRecord & { readonly state: RecordState }

function isLive(record: StoredRecord | null, now: number): record is Live {
  return record !== null && record.state !== 'tombstone' && record.expiresAt > now
}

function begin(record: StoredRecord | null, claim: Claim, now: number): Reduced<BeginReply> {
  if (!isLive(record, now)) return acquire(record, null, claim, now)
  const stays = (outcome: BeginReply['outcome'], values: Values): Reduced<BeginReply> => ({
    record,
    reply: answer(outcome, record, now, values),
  })
  if (record.fingerprint !== claim.fingerprint) return stays('mismatch', 'none')
  if (record.state !== 'in_progress' && record.state !== 'released') return stays('settled', 'result')
  if (record.state === 'in_progress' && record.owner === claim.owner) return stays('acquired', 'work')
  if (record.leaseUntil > now) return stays('in_progress', 'none')
  return acquire(record, record, claim, now)
}

/** A new attempt: on `previous`, where its work goes on, else a new incarnation that shows nothing of the old one. */
function acquire(old: StoredRecord | null, previous: Live | null, claim: Claim, now: number): Reduced<BeginReply> {
  const leaseUntil = now + toUs(claim.leaseMs)
  const next: Live = {
    state: 'in_progress',
    token: Math.max((old?.token ?? 0) + 1, now),
    owner: claim.owner,
    fingerprint: claim.fingerprint,
    attempt: previous ? previous.attempt + 1 : 1,
    interrupted: previous ? previous.state === 'in_progress' || previous.interrupted : false,
    leaseUntil,
    expiresAt: Math.max(previous?.expiresAt ?? 0, leaseUntil + toUs(claim.retentionMs)),
    request: previous ? previous.request : (claim.request ?? null),
    checkpoint: previous?.checkpoint ?? null,
    result: null,
  }
  return { record: next, reply: answer('acquired', next, now, 'work') }
}

/** The states to which a transition is applied. In the state that it leads to it is a repeat, in any other it is lost. */
export const acceptedFrom: Readonly<Record<Change['to'], readonly RecordState[]>> = {
  renew: ['in_progress'],
  completed: ['in_progress', 'parked'],
  failed: ['in_progress', 'parked'],
  released: ['in_progress', 'parked'],
  parked: ['in_progress'],
  forgotten: ['in_progress', 'released', 'parked', 'completed', 'failed'],
}

function transition(record: StoredRecord | null, token: number, change: Change, now: number): Reduced<TransitionReply> {
  const repeated = change.to === 'forgotten' ? 'tombstone' : change.to
  if (record?.token === token && record.expiresAt > now) {
    if (record.state === repeated) return { record, reply: { outcome: 'ok', applied: false } }
    if (record.state !== 'tombstone' && acceptedFrom[change.to].includes(record.state)) {
      const applied = change.to !== 'renew' || !change.checkpoint || isNewer(change.checkpoint, record.checkpoint)
      return { record: applyChange(record, change, now), reply: { outcome: 'ok', applied } }
    }
  }
  const current = isLive(record, now) ? view(record, record.state, now, 'result') : null
  return { record, reply: { outcome: 'lost', current } }
}

function isNewer(checkpoint: Checkpoint, stored: Checkpoint | null): boolean {
  return stored === null || checkpoint.seq > stored.seq
}

function applyChange(record: StoredRecord, change: Change, now: number): StoredRecord {
  switch (change.to) {
    case 'renew': {
      const leaseUntil = Math.max(record.leaseUntil, now + toUs(change.leaseMs))
      const { checkpoint } = change
      return {
        ...record,
        leaseUntil,
        expiresAt: Math.max(record.expiresAt, leaseUntil + toUs(change.retentionMs ?? 0)),
        checkpoint: checkpoint && isNewer(checkpoint, record.checkpoint) ? checkpoint : record.checkpoint,
      }
    }
    case 'completed':
    case 'failed':
      return {
        ...record,
        state: change.to,
        result: change.result,
        checkpoint: null,
        expiresAt: now + toUs(change.retentionMs),
      }
    case 'released': {
      const due = now + toUs(change.delayMs)
      return {
        ...record,
        state: 'released',
        owner: '',
        interrupted: change.unresolved ?? false,
        // without a delay the next attempt is due whatever the clock does
        leaseUntil: change.delayMs > 0 ? due : 0,
        expiresAt: Math.max(change.shorten ? 0 : record.expiresAt, due + toUs(change.retentionMs)),
      }
    }
    case 'parked':
      return { ...record, state: 'parked', expiresAt: now + toUs(change.retentionMs) }
    case 'forgotten':
      return {
        state: 'tombstone',
        token: record.token,
        owner: '',
        fingerprint: '',
        attempt: 0,
        interrupted: false,
        leaseUntil: 0,
        expiresAt: now + toUs(change.tombstoneMs),
        request: null,
        checkpoint: null,
        result: null,
      }
  }
}

/** Returns the record as a reader sees it: remaining times, and only the bytes that it needs. */
function view(record: StoredRecord, state: RecordState, now: number, values: Values): RecordView {
  return {
    state,
    token: record.token,
    fingerprint: record.fingerprint,
    attempt: record.attempt,
    interrupted: record.interrupted,
    leaseRemainingMs: leaseLeft(record, state, now),
    retentionRemainingMs: ms(record.expiresAt - now),
    request: values === 'all' ? record.request : null,
    checkpoint: values === 'all' ? record.checkpoint : null,
    result: values === 'result' || values === 'all' ? record.result : null,
  }
}

/** Returns the answer to `begin`: as {@link view}, in one object, since every call makes one. */
function answer(outcome: BeginReply['outcome'], record: Live, now: number, values: Values): BeginReply {
  return {
    outcome,
    state: record.state,
    token: record.token,
    fingerprint: record.fingerprint,
    attempt: record.attempt,
    interrupted: record.interrupted,
    leaseRemainingMs: leaseLeft(record, record.state, now),
    retentionRemainingMs: ms(record.expiresAt - now),
    request: values === 'work' && record.attempt > 1 ? record.request : null,
    checkpoint: values === 'work' ? record.checkpoint : null,
    result: values === 'result' ? record.result : null,
  }
}

function leaseLeft({ leaseUntil }: StoredRecord, state: RecordState, now: number): number {
  return state === 'in_progress' || state === 'released' ? Math.max(0, ms(leaseUntil - now)) : 0
}
