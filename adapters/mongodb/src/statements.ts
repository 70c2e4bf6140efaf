/**
 * The contract as aggregation pipelines: one `findAndModify` for each operation. Their text is constant; each value
 * comes in through `let`, as a `$literal`, so that no `$` in it is ever read as an expression. The values of a
 * short pipeline stand in it, as such literals.
 *
 * `$$now` is `$$NOW`, or the injected milliseconds. The server fixes it when a command starts, before it waits for the
 * record: a record therefore keeps the clock of its last change (`at`), and time never runs backwards for it.
 */
import { acceptedFrom, type Change, type Claim, keyRange, type ListQuery } from '@retryproof/core/store'

/** The layout of a document. One of another layout is left as it is, and the call throws. */
export const LAYOUT = 1

/** Batches leave out larger results: the reply to one has room for many. */
const MAX_BATCHED_BYTES = 64 * 1024

export type Settlement = Extract<Change, { readonly result: Uint8Array }>
type Settled = Settlement['to']
export const isSettlement = (change: Change): change is Settlement => 'result' in change
type Expression = unknown
const all = (...tests: Expression[]) => ({ $and: tests })
const add = (...terms: Expression[]) => ({ $add: terms })
const most = (...terms: Expression[]) => ({ $max: terms })
const when = (test: Expression, then: Expression, otherwise: Expression) => ({ $cond: [test, then, otherwise] })

const now = most('$$now', '$at')
const inMicroseconds = (time: Expression) => ({ $toLong: { $multiply: [{ $toDouble: time }, 1000] } })
const microseconds = inMicroseconds('$$now')
/** The variables of short pipelines. */
export const termsOf = (clock: number | '$$NOW') => ({ now: clock, token: inMicroseconds(clock) })
const leaseUntil = add('$$now', '$$lease')
const keptFromLease = add(leaseUntil, '$$retention')
const keptPastLease = most('$expiresAt', keptFromLease)

// a document that is not there has no fields, and a missing field is less than any value
const present = { $gt: ['$expiresAt', '$$now'] }
const foreign = all({ $ne: ['$v', LAYOUT] }, { $ne: ['$$ROOT', { _id: '$_id' }] })
const mine = { $eq: ['$token', '$$token'] }
/** The record from which a change is accepted, without its token. */
const acceptable = (to: Change['to']) => all(present, { $in: ['$state', acceptedFrom[to]] })
const claimed = { $eq: ['$fingerprint', '$$fingerprint'] }
const leased = { $in: ['$state', ['in_progress', 'released']] }

const atItsTime = (next: Expression) => ({ $let: { vars: { now }, in: next } })
const replace = (next: Expression) => [{ $replaceWith: when(foreign, '$$ROOT', atItsTime(next)) }]
const change = (fields: object) => ({ $mergeObjects: ['$$ROOT', fields, { at: '$$now' }] })
const tombstone = { v: LAYOUT, at: '$$now', state: 'tombstone', token: 0, expiresAt: '$$now' }
/** In a transaction that may read an old snapshot "nothing" is a write too: it then fails as a conflict, and never answers. */
const nothing = when('$$touch', { $mergeObjects: [tombstone, '$$ROOT', { touched: { $not: ['$touched'] } }] }, '$$ROOT')

const attempt = {
  at: '$$now',
  state: 'in_progress',
  token: most(add('$token', 1), microseconds),
  owner: '$$owner',
  leaseUntil,
}
const firstAttempt = { attempt: 1, interrupted: false }

export const begin = replace(
  when(
    { $not: [all(present, { $ne: ['$state', 'tombstone'] })] },
    {
      _id: '$_id',
      v: LAYOUT,
      ...attempt,
      fingerprint: '$$fingerprint',
      ...firstAttempt,
      expiresAt: add(leaseUntil, '$$retention'),
      request: { $ifNull: ['$$request', '$$REMOVE'] },
    },
    when(
      all(claimed, leased, { $ne: ['$owner', '$$owner'] }, { $lte: ['$leaseUntil', '$$now'] }),
      change({
        ...attempt,
        attempt: add('$attempt', 1),
        interrupted: { $or: ['$interrupted', { $eq: ['$state', 'in_progress'] }] },
        expiresAt: keptPastLease,
      }),
      nothing,
    ),
  ),
)

/** Inserts the record where none is, and leaves any document as it is. */
export function insertion({ owner, fingerprint, leaseMs, retentionMs, request }: Claim): object[] {
  const record = {
    _id: '$_id',
    v: LAYOUT,
    at: '$$now',
    state: 'in_progress',
    token: '$$token',
    owner: { $literal: owner },
    leaseUntil: add('$$now', leaseMs),
    fingerprint: { $literal: fingerprint },
    ...firstAttempt,
    expiresAt: add('$$now', leaseMs + retentionMs),
    ...(request && { request: { $literal: request } }),
  }
  return [{ $replaceWith: when({ $eq: ['$$ROOT', { _id: '$_id' }] }, record, '$$ROOT') }]
}

const kept = (retention: Expression) => add('$$now', retention)
const settled = (to: Settled, result: Expression, retention: Expression) =>
  change({ state: to, result, checkpoint: null, expiresAt: kept(retention) })

/** Settles the record that its caller holds. Else gives `otherwise`: `null` is no document, so that the update fails. */
export function settlement(
  token: number,
  { to, result, retentionMs }: Settlement,
  otherwise: '$$ROOT' | null,
): object[] {
  const isHeld = all({ $eq: ['$v', LAYOUT] }, { $eq: ['$token', { $literal: token }] }, acceptable(to))
  return [{ $replaceWith: atItsTime(when(isHeld, settled(to, { $literal: result }, retentionMs), otherwise)) }]
}

const swap = (to: Change['to'], next: Expression) => replace(when(all(mine, acceptable(to)), next, nothing))
const settle = (to: Settled) => swap(to, settled(to, '$$result', '$$retention'))
const longer = most('$leaseUntil', leaseUntil)

export const transition: Record<Change['to'], object[]> = {
  renew: swap(
    'renew',
    change({
      leaseUntil: longer,
      expiresAt: most('$expiresAt', add(longer, '$$retention')),
      checkpoint: when({ $gt: ['$$checkpoint.seq', '$checkpoint.seq'] }, '$$checkpoint', '$checkpoint'),
    }),
  ),
  completed: settle('completed'),
  failed: settle('failed'),
  // without a delay it is due at once: no clock stands before `at`
  released: swap(
    'released',
    change({
      state: 'released',
      owner: '',
      interrupted: '$$unresolved',
      leaseUntil,
      expiresAt: when('$$shorten', keptFromLease, keptPastLease),
    }),
  ),
  parked: swap('parked', change({ state: 'parked', expiresAt: kept('$$retention') })),
  forgotten: swap('forgotten', { _id: '$_id', ...tombstone, token: '$token', expiresAt: leaseUntil }),
}

/** Changes nothing; a stale read of a transaction fails. */
export const touch = replace(nothing)

const names = ['v', 'at', 'state', 'token', 'fingerprint', 'attempt', 'interrupted', 'leaseUntil', 'expiresAt']
const facts = { ...Object.fromEntries(names.map((name) => [name, 1])), now }
const held = all({ $eq: ['$owner', '$$owner'] }, { $eq: ['$state', 'in_progress'] })

/** Projections of the fields that replies need: after a `begin`, before a transition. */
export const fields = {
  facts,
  begin: {
    ...facts,
    owner: 1,
    request: when(all(held, { $gt: ['$attempt', 1] }), '$request', null),
    checkpoint: when(held, '$checkpoint', null),
    result: when(claimed, '$result', null),
  },
  met: { ...facts, owner: 1, result: 1 },
  metByMany: {
    ...facts,
    owner: 1,
    result: when({ $lte: [{ $binarySize: '$result' }, MAX_BATCHED_BYTES] }, '$result', null),
  },
  transition: (to: Change['to']) => ({
    ...facts,
    'checkpoint.seq': 1,
    result: when(all(mine, { $in: ['$state', [to, ...acceptedFrom[to]]] }), null, '$result'),
  }),
  get: { ...facts, request: 1, checkpoint: 1, result: 1 },
}

/** Filters the records that `purge` removes: expired for long enough, and with a token that cannot be assigned again. */
export const purgeable = {
  v: LAYOUT,
  $expr: all({ $lte: ['$expiresAt', { $subtract: ['$$now', '$$grace'] }] }, { $lt: ['$token', microseconds] }),
}

const part = (index: number) => ({ $arrayElemAt: [{ $split: ['$_id', '.'] }, index] })

/** Filters the records of a listing. */
export function listable(query: ListQuery): object {
  const { operation, scope, state, stuckForMs, expired } = query
  const { after, end } = keyRange(query)
  const tests = [
    ...(expired ? [] : [{ $gt: ['$expiresAt', now] }]),
    ...(stuckForMs === undefined ? [] : [leased, { $lte: ['$leaseUntil', { $subtract: [now, stuckForMs] }] }]),
    ...(operation === undefined ? [] : [{ $eq: [part(1), { $literal: operation }] }]),
    ...(scope === undefined ? [] : [{ $eq: [{ $indexOfBytes: [part(2), { $literal: scope }] }, 0] }]),
  ]
  return { _id: { $gt: after, $lt: end }, state: state ?? { $ne: 'tombstone' }, $expr: all(...tests) }
}

/** Counts live records by operation and state. */
export function counting(query: ListQuery): object[] {
  const { after, end } = keyRange(query)
  const isExpired = all({ $eq: ['$state', 'in_progress'] }, { $lte: ['$leaseUntil', now] })
  return [
    { $match: { _id: { $gt: after, $lt: end }, state: { $ne: 'tombstone' }, $expr: { $gt: ['$expiresAt', now] } } },
    {
      $group: {
        _id: { operation: part(1), state: '$state' },
        records: { $sum: 1 },
        leaseExpired: { $sum: when(isExpired, 1, 0) },
        longestExpiredMs: { $max: when(isExpired, { $toLong: { $subtract: [now, '$leaseUntil'] } }, 0) },
      },
    },
    { $sort: { _id: 1 } },
    { $replaceWith: { $mergeObjects: ['$_id', { $unsetField: { field: '_id', input: '$$ROOT' } }] } },
  ]
}
