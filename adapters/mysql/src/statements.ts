/** The contract as SQL that MySQL 8 and MariaDB 10.5 both take. Times are µs since 1970. */
import { type Change, type Claim, type KeyRange, type ListQuery, type StoredRecord, toUs } from '@retryproof/core/store'
import { returning } from './returning.ts'
import { fixed, joined, listed, type Slots, type Sql, sql } from './sql.ts'

/** Batches leave out larger values. */
const MAX_BATCHED_BYTES = 64 * 1024

/** The `insertId` of a transition that took effect. */
export const APPLIED = 2

const nothing = sql``
const yes = sql`TRUE`
const undecided = sql`state IN ('in_progress', 'parked')`
const clean = sql`checkpoint = NULL, checkpoint_seq = NULL`

/** Evaluated when the statement starts, so that it can be compared by index. */
const STARTED = sql`TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))`
/**
 * Evaluated when the row is held: a statement that waited for it must not judge by the time before. SYSDATE is local time
 * without a zone, so what is added is the wait, from a minute back (a clock that was set) to 14 minutes; whole quarters of
 * an hour, as the end of summer time brings them, are dropped.
 */
export const HELD = sql`(${STARTED} + MOD(TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6)) + 86460000000, 900000000) - 60000000)`

const STATE_NAMES: readonly string[] = ['in_progress', 'released', 'parked', 'completed', 'failed', 'tombstone']
/** All states, as the column declares them. */
export const STATES = STATE_NAMES.map((name) => `'${name}'`).join(',')
/** The characters after the operation in a storage key: a dot and a digest. */
const DIGEST_LENGTH = 65

const LIST_COLUMNS = sql`k, state, token, owner, fingerprint, attempt, interrupted, lease_until, expires_at`

/** A state in the type of its column, by which the index finds it. One that is none selects nothing, and is never SQL. */
function knownState(state: string): Sql {
  return STATE_NAMES.includes(state) ? { text: `'${state}'` } : sql`NULL`
}

/** One `begin`. */
export interface Begin {
  readonly key: string
  readonly claim: Claim
}

/** Key, owner, fingerprint, µs of the lease, µs until it expires, request. */
type First = readonly [string, string, string, number, number, Uint8Array | null]

function firstOf({ key, claim: { owner, fingerprint, leaseMs, retentionMs, request } }: Begin): First {
  const lease = toUs(leaseMs)
  return [key, owner, fingerprint, lease, lease + toUs(retentionMs), request ?? null]
}

/** One settlement. */
export interface Settle {
  readonly key: string
  readonly token: number
  readonly change: Extract<Change, { to: 'completed' | 'failed' }>
}

export type Statements = ReturnType<typeof statements>

/** The statements of one table. `clock` (whole µs) replaces the server's; `returns`: the server knows INSERT … RETURNING. */
export function statements(table: Sql, clock?: () => number, returns = false) {
  const started = () => (clock ? sql`${clock()}` : STARTED)
  const held = () => (clock ? sql`${clock()}` : HELD)

  /** LAST_INSERT_ID says that a row was met: 2 applied, 1 not. Affected rows would depend on a flag of the connection. */
  const change = (mark: Sql, set: Sql, key: string | Sql, token: number | Sql, from: Sql) => sql`
UPDATE ${table} SET attempt = IF(LAST_INSERT_ID(${mark}), attempt, attempt), ${set}
WHERE k = ${key} AND token = ${token} AND expires_at > ${held()} AND ${from}`

  /** The first attempts of keys. `insertId`: the token that they share. */
  function insertion(firsts: readonly Slots<First>[], now: Sql): Sql {
    // a server's clock is read once: the token is what it told
    const begun = clock ? now : sql`token`
    const rows = firsts.map(
      ([key, owner, fingerprint, lease, kept, request]) => sql`
(${key}, LAST_INSERT_ID(GREATEST(${now}, 1)), ${owner}, ${fingerprint}, 'in_progress', 1, 0, ${begun} + ${lease},
  ${begun} + ${kept}, ${request})`,
    )
    return sql`
INSERT INTO ${table} (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at, request) VALUES ${joined(rows, ',')}`
  }

  const insert = (...first: Slots<First>) => sql`${insertion([first], held())}
ON DUPLICATE KEY UPDATE attempt = IF(LAST_INSERT_ID(0), attempt, attempt)`
  const fixedInsert = fixed<First>(insert)
  const fixedInsertReturning = fixed<First>(
    (...first) => sql`${insert(...first)}${returning(first[1], started(), held())}`,
  )

  const settle = (state: Sql) =>
    fixed<[string, number, Uint8Array, number]>((key, token, result, kept) => {
      const set = sql`state = ${state}, result = ${result}, ${clean}, expires_at = ${held()} + ${kept}`
      return change(sql`${APPLIED}`, set, key, token, undecided)
    })
  const fixedSettle = { completed: settle(sql`'completed'`), failed: settle(sql`'failed'`) }

  const read = (key: string | Sql, work: Sql, result: Sql) => sql`
SELECT ${started()} AS started, ${held()} AS held, @@autocommit AS autocommit, ${LIST_COLUMNS}, checkpoint_seq,
  IF(${work}, request, NULL) AS request, IF(${work}, checkpoint, NULL) AS checkpoint, IF(${result}, result, NULL) AS result
FROM ${table} WHERE k = ${key}`
  const fixedRead = fixed<[string]>((key) => read(key, yes, yes))
  /** A second is ample for the rest of the statement. */
  const fixedReadToBegin = fixed<[string, string, string]>((key, fingerprint, owner) =>
    read(
      key,
      sql`fingerprint = ${fingerprint} AND state IN ('in_progress', 'released') AND (owner = ${owner} OR lease_until <= ${held()} + 1000000)`,
      sql`fingerprint = ${fingerprint} AND state IN ('completed', 'failed')`,
    ),
  )

  return {
    /** `insertId`: the token, or 0 where there is a record already. */
    insert: (begin: Begin) => fixedInsert(...firstOf(begin)),

    /** The same with an answer that holds the record; undefined where the server cannot. */
    insertReturning: returns ? (begin: Begin) => fixedInsertReturning(...firstOf(begin)) : undefined,

    /** One record, with the values that a `begin` by `claim` may have to answer with; `started` and `held`: the time before and after it was read. */
    read(key: string, lock?: Sql, claim?: Claim): Sql {
      const statement = claim ? fixedReadToBegin(key, claim.fingerprint, claim.owner) : fixedRead(key)
      return lock ? sql`${statement}${lock}` : statement
    },

    /** Many records, with results where they are small: the reply to one has room for many. */
    readMany: (keys: readonly string[]) => sql`
SELECT ${started()} AS started, ${held()} AS held, @@autocommit AS autocommit, ${LIST_COLUMNS}, checkpoint_seq,
  IF(state IN ('completed', 'failed') AND LENGTH(result) <= ${MAX_BATCHED_BYTES}, result, NULL) AS result
FROM ${table} FORCE INDEX (PRIMARY) WHERE k IN (${listed(keys)})`,

    /** Many records without their values. Refused where a transaction holds one of them, or is inserting it. */
    probe: (keys: readonly string[]) => sql`
SELECT ${started()} AS started, ${held()} AS held, @@autocommit AS autocommit, ${LIST_COLUMNS}, checkpoint_seq
FROM ${table} FORCE INDEX (PRIMARY) WHERE k IN (${listed(keys)}) FOR UPDATE NOWAIT`,

    /** All of them, or a refusal. */
    insertMany: (calls: readonly Begin[]) => insertion(calls.map(firstOf), started()),

    /**
     * The results of many attempts. `affectedRows`: how many of them held their keys. A join with a list of calls would make
     * a table of it first, which takes a quarter more of the server. In a small table the server would otherwise look at all
     * records, and wait for those that a transaction holds.
     */
    settleMany(calls: readonly Settle[]): Sql {
      const own = (memberOf: (call: Settle) => string | Uint8Array | number) =>
        sql`CASE k ${joined(
          calls.map((call) => sql`WHEN ${call.key} THEN ${memberOf(call)}`),
          ' ',
        )} END`
      return sql`
UPDATE ${table} FORCE INDEX (PRIMARY) SET state = ${own(({ change }) => change.to)}, result = ${own(({ change }) => change.result)}, ${clean},
  expires_at = ${held()} + ${own(({ change }) => toUs(change.retentionMs))}
WHERE k IN (${listed(calls.map(({ key }) => key))}) AND token = ${own(({ token }) => token)} AND expires_at > ${held()}
  AND ${undecided}`
    },

    /** The next attempt (`to`) on the record that was read (`from`). `insertId`: the token, or 0 where it has changed. */
    take(key: string, from: StoredRecord, to: StoredRecord, { leaseMs, retentionMs }: Claim): Sql {
      const now = held()
      const lease = toUs(leaseMs)
      const fresh = to.attempt === 1
      const expiry = sql`${now} + ${lease + toUs(retentionMs)}`
      return sql`
UPDATE ${table} SET token = LAST_INSERT_ID(GREATEST(token + 1, ${now})), owner = ${to.owner}, fingerprint = ${to.fingerprint},
  state = 'in_progress', attempt = ${to.attempt}, interrupted = ${Number(to.interrupted)}, lease_until = ${now} + ${lease},
  expires_at = ${fresh ? expiry : sql`GREATEST(expires_at, ${expiry})`}, result = NULL
  ${fresh ? sql`, request = ${to.request}, checkpoint = NULL, checkpoint_seq = NULL` : nothing}
WHERE k = ${key} AND token = ${from.token} AND state = ${from.state} AND lease_until = ${from.leaseUntil}
  AND expires_at = ${from.expiresAt} AND checkpoint_seq <=> ${from.checkpoint?.seq ?? null}
  ${fresh ? nothing : sql`AND expires_at > ${now}`}`
    },

    /** `insertId`: 2 applied, 1 not newer, 0 where the record does not take the change. */
    transition(key: string, token: number, to: Change): Sql {
      const now = held()
      const working = sql`state = 'in_progress'`
      const apply = (set: Sql, from: Sql) => change(sql`${APPLIED}`, set, key, token, from)
      switch (to.to) {
        case 'renew': {
          const { seq = 0, data = null } = to.checkpoint ?? {}
          const lease = sql`GREATEST(lease_until, ${now} + ${toUs(to.leaseMs)})`
          // each is computed before the one it reads is assigned: so it is the same with SIMULTANEOUS_ASSIGNMENT
          const renewal = sql`expires_at = GREATEST(expires_at, ${lease} + ${toUs(to.retentionMs ?? 0)}), lease_until = ${lease}`
          if (data === null) return apply(renewal, working)
          const known = sql`checkpoint_seq >= ${seq}`
          const progress = sql`${renewal}, checkpoint = IF(${known}, checkpoint, ${data}), checkpoint_seq = IF(${known}, checkpoint_seq, ${seq})`
          return change(sql`IF(${known}, 1, ${APPLIED})`, progress, key, token, working)
        }
        case 'completed':
        case 'failed':
          return fixedSettle[to.to](key, token, to.result, toUs(to.retentionMs))
        case 'released': {
          const due = sql`${now} + ${toUs(to.delayMs)}`
          const kept = sql`${due} + ${toUs(to.retentionMs)}`
          return apply(
            sql`state = 'released', owner = ${''}, interrupted = ${Number(to.unresolved ?? false)}, lease_until = ${to.delayMs > 0 ? due : 0},
  expires_at = ${to.shorten ? kept : sql`GREATEST(expires_at, ${kept})`}`,
            undecided,
          )
        }
        case 'parked':
          return apply(sql`state = 'parked', expires_at = ${now} + ${toUs(to.retentionMs)}`, working)
        case 'forgotten':
          return apply(
            sql`state = 'tombstone', owner = ${''}, fingerprint = ${''}, interrupted = 0, lease_until = 0, expires_at = ${now} + ${toUs(to.tombstoneMs)},
  request = NULL, ${clean}, result = NULL`,
            sql`state <> 'tombstone'`,
          )
      }
    },

    purgeable: (graceMs: number) => sql`expires_at <= ${started()} - ${toUs(graceMs)} AND token < ${started()}`,
    purgeableKeys: (purgeable: Sql, limit: number) =>
      sql`SELECT k FROM ${table} WHERE state IN (${{ text: STATES }}) AND ${purgeable} ORDER BY state, expires_at LIMIT ${limit}`,
    remove: (keys: readonly string[], purgeable: Sql) => sql`
DELETE FROM ${table} WHERE k IN (${listed(keys)}) AND ${purgeable}`,

    /** The next records after a key, in the order of keys. */
    page: ({ after, end }: KeyRange, { operation, scope, state, stuckForMs, expired }: ListQuery, limit: number) => sql`
SELECT ${started()} AS started, ${LIST_COLUMNS} FROM ${table} WHERE k > ${after} AND k < ${end} AND state <> 'tombstone'
  ${scope === undefined ? nothing : sql`AND LEFT(SUBSTRING_INDEX(SUBSTRING_INDEX(k, '.', 3), '.', -1), ${scope.length}) = ${scope}`}
  ${operation === undefined ? nothing : sql`AND SUBSTRING_INDEX(SUBSTRING_INDEX(k, '.', 2), '.', -1) = ${operation}`}
  ${state === undefined ? nothing : sql`AND state = ${knownState(state)}`}
  ${stuckForMs === undefined ? nothing : sql`AND state IN ('in_progress', 'released') AND lease_until <= ${started()} - ${toUs(stuckForMs)}`}
  ${expired ? nothing : sql`AND expires_at > ${started()}`}
ORDER BY k LIMIT ${limit}`,

    /** The clock by which a count judges: as a number, since the server would compute it for each row anew. */
    now: () => sql`SELECT ${started()} AS now`,

    /**
     * Counts the live records of a range by operation and state. The index by state and expiry holds all that is asked of most
     * records; of those in progress the lease, too, is read. The primary key would read whole rows.
     */
    count({ after, end }: KeyRange, now: number) {
      const prefix = sql`LEFT(k, LENGTH(k) - ${DIGEST_LENGTH})`
      const live = sql`FROM ${table} IGNORE INDEX (PRIMARY) WHERE expires_at > ${now} AND k > ${after} AND k < ${end}`
      return sql`
SELECT SUBSTRING_INDEX(prefix, '.', -1) AS operation, state, SUM(records) AS records, SUM(expired) AS expired, MAX(longest) AS longest
FROM (
  SELECT ${prefix} AS prefix, state, COUNT(*) AS records, 0 AS expired, 0 AS longest
  ${live} AND state IN ('released', 'parked', 'completed', 'failed') GROUP BY prefix, state
  UNION ALL
  SELECT ${prefix}, state, COUNT(*), SUM(lease_until <= ${now}), MAX(${now} - lease_until)
  ${live} AND state = 'in_progress' GROUP BY 1, state) counted
GROUP BY operation, state ORDER BY operation, state`
    },
  }
}
