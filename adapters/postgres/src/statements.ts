/**
 * The contract as SQL: one statement for each operation. Times are µs since 1970; $1 is the key and $2 an injected clock
 * or null; the reply is one row of one JSON text, so that no type parser of a driver has a say.
 */
import { createHash } from 'node:crypto'
import { acceptedFrom, type Change } from '@retryproof/core/store'
import type { Statement } from './driver.ts'
import { SLOT_US, type TableNames } from './schema.ts'

/** The channel on which processes announce that a record may have changed; the payload is its key. */
export const CHANNEL = 'retryproof'

/** Batches leave out larger values: the reply to one has room for many. */
const MAX_BATCHED_BYTES = 64 * 1024
/** Bounds the wait of a batch for a transaction in which one of its keys was begun: all others would wait too. */
const BATCH_PATIENCE_MS = 50

/** The characters after the operation in a storage key: a dot and a digest. */
const DIGEST_LENGTH = 65

const NOW = 'coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)'
/** Synchronous commit is only raised from `off`, so that an acknowledged change survives a crash. */
const DURABLE = `CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END AS durable`
const SESSION = `current_setting('transaction_isolation') AS isolation,
    ${DURABLE}`

const TIMES = `CASE WHEN state IN ('in_progress', 'released') THEN greatest(0, ceil((lease_until - now) / 1000.0)) ELSE 0 END AS "leaseRemainingMs",
    ceil((expires_at - now) / 1000.0) AS "retentionRemainingMs"`
const EXPIRED_MS = `CASE state WHEN 'in_progress' THEN greatest(0, (now - lease_until) / 1000) ELSE 0 END`
const LIVE = `state <> 'tombstone' AND expires_at > now`

/** The columns that a reader sees. Bytes leave the database, as base64, only where their condition holds. */
function view(when: { readonly request?: string; readonly checkpoint?: string; readonly result?: string }): string {
  const bytes = (column: string) => `encode(${column}, 'base64')`
  const checkpoint = `checkpoint IS NOT NULL AND ${when.checkpoint ?? 'false'}`
  return `state, token, fingerprint, attempt, interrupted, ${TIMES}, ${LIVE} AS live,
    CASE WHEN ${when.request ?? 'false'} THEN ${bytes('request')} END AS request,
    CASE WHEN ${checkpoint} THEN json_build_object('seq', checkpoint_seq, 'data', ${bytes('checkpoint')}) END AS checkpoint,
    CASE WHEN ${when.result ?? 'false'} THEN ${bytes('result')} END AS result`
}

/** The columns of which a view is made. */
const VIEWED =
  'now, state, token, fingerprint, attempt, interrupted, lease_until, expires_at, request, checkpoint_seq, checkpoint, result'

/** One row whatever `rows` holds: a reply without a record says the isolation too. */
const reply = (columns: string, rows: string) => `
SELECT row_to_json(reply)::text AS reply FROM (
  SELECT ${SESSION}, ${columns} FROM (SELECT) one LEFT JOIN ${rows} ON true) reply`

/**
 * The calls of a batch, by their keys. $1 holds their parameters as JSON, under the numbers that these have in the statement
 * for one call (`types`, from $3 on), and $3 the bytes of all. The conditions always hold: the first makes the planner expect one
 * row, so that it looks each key up by the index whatever the size of the table.
 */
function callsOf(types: readonly string[]): string {
  const parameters = types.map((type, index) => ({ type, number: index + 3 }))
  const read = parameters.map(({ type, number }) =>
    type === 'bytea' ? `substring($3::bytea FROM o${number} FOR l${number}) AS p${number}` : `p${number}`,
  )
  const sent = parameters.map(({ type, number }) =>
    type === 'bytea' ? `o${number} integer, l${number} integer` : `p${number} ${type}`,
  )
  return `calls AS MATERIALIZED (
  SELECT i, key COLLATE "C" AS key, ${read} FROM json_to_recordset($1::text::json) AS sent (i integer, key text, ${sent})
  WHERE i * 0 = 0 AND $3::bytea IS NOT NULL)`
}

/** The parameters of one call as those of a call `row` of a batch. */
const ofCall = (text: string, row: string): string =>
  text.replace(/\$(\d+)/g, (parameter, number) =>
    number === '1' ? `${row}.key` : number === '2' ? parameter : `${row}.p${number}`,
  )

/** A statement for one call, and one for many, whose replies say in `i` which call they answer. */
export interface Batched extends Statement {
  readonly many: Statement
}

function named(text: string): Statement {
  return { name: `retryproof_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`, text }
}

export type Statements = ReturnType<typeof statements>

/** The statements of one table. With `notify`, a transition that may end a wait says so on the channel. */
export function statements({ table, layout, hasSlots }: TableNames, notify: boolean) {
  /**
   * The row is locked before the clock is read, and both before anything is decided: a repeat waits for the open
   * transaction of the first, and then answers for what that one left.
   */
  function transition(
    to: Change['to'],
    types: readonly string[],
    set: string,
    { target = `'${to}'`, applied = 'true' } = {},
  ): Batched {
    const from = acceptedFrom[to].map((state) => `'${state}'`)
    const told =
      notify && to !== 'renew' ? `, CASE WHEN verdict = 'apply' THEN pg_notify('${CHANNEL}', $1)::text END AS told` : ''
    const verdict = `verdict, verdict = 'apply' AND ${applied} AS applied${told}`
    const judged = (rows: string) => `judged AS MATERIALIZED (
  SELECT *, CASE WHEN token IS DISTINCT FROM $3 OR expires_at <= now THEN 'lost' WHEN state = ${target} THEN 'same'
                 WHEN state IN (${from}) THEN 'apply' ELSE 'lost' END AS verdict
  FROM (SELECT *, ${NOW} AS now FROM (${rows}) held) v),
changed AS (UPDATE ${table} r SET ${set} FROM judged v WHERE r.k = $1 AND v.verdict = 'apply')`
    const lock = (key: string) => `SELECT * FROM ${table} WHERE k = ${key} FOR NO KEY UPDATE`
    return {
      ...named(`
WITH ${judged(lock('$1'))}${reply(`${verdict}, ${view({ result: "verdict = 'lost'" })}`, 'judged v')}`),
      // a row that somebody else holds is left to a call of its own, which waits; so is what was lost, for the full answer
      many: named(`
WITH ${callsOf(['bigint', ...types])},
${ofCall(
  judged(`
    SELECT * FROM (SELECT DISTINCT ON (key) * FROM calls ORDER BY key, i) c
    CROSS JOIN LATERAL (${lock('key')} SKIP LOCKED) r`),
  'v',
)}
SELECT row_to_json(reply)::text AS reply FROM (
  SELECT i, ${DURABLE}, ${ofCall(verdict, 'v')} FROM judged v WHERE verdict <> 'lost') reply`),
    }
  }
  /**
   * $1 the last key that was seen, $3 one past the last, $4 operation, $5 state, $6 stuck for, $7 expired too, $8 scope,
   * $9 limit. The clock is joined: in a sub-select of the table it would hide the order of the primary key.
   */
  const list = (order: string): Statement => ({
    text: `
SELECT row_to_json(r)::text AS reply FROM (
  SELECT k AS key, state, token, attempt, interrupted, ${TIMES}, ${EXPIRED_MS} AS "leaseExpiredMs"
  FROM ${table} CROSS JOIN (SELECT ${NOW} AS now OFFSET 0) clock
  WHERE k > $1 AND k < $3 AND state <> 'tombstone' AND (expires_at > now OR $7::boolean)
    AND ($4::text IS NULL OR split_part(k, '.', 2) = $4) AND ($5::text IS NULL OR state = $5)
    AND ($6::bigint IS NULL OR state IN ('in_progress', 'released') AND lease_until + $6 <= now)
    AND ($8::text IS NULL OR starts_with(split_part(k, '.', 3), $8))
  ORDER BY ${order} LIMIT $9) r`,
  })
  const lease = 'greatest(v.lease_until, v.now + $4::bigint)'
  const renewal = `lease_until = ${lease}, expires_at = greatest(v.expires_at, ${lease} + $5::bigint)`
  const newer = '(v.checkpoint_seq IS NULL OR v.checkpoint_seq < $6::bigint)'

  /** The answers that need no write, of `rows`: a record beside the call that met it. */
  const hit = (rows: string) => `
hit AS MATERIALIZED (
  SELECT * FROM (
    SELECT *, CASE WHEN fingerprint <> $4 THEN 'mismatch' WHEN state IN ('completed', 'failed', 'parked') THEN 'settled'
                   WHEN state = 'in_progress' AND owner = $3 THEN 'acquired' WHEN lease_until > now THEN 'in_progress' END AS outcome
    FROM (SELECT *, ${NOW} AS now FROM ${rows}) r
    WHERE state <> 'tombstone' AND expires_at > now) r
  WHERE outcome IS NOT NULL)`
  const first = `
  INSERT INTO ${table} AS r (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at, request)
  SELECT $1, now, $3, $4, 'in_progress', 1, false, now + $5::bigint, now + $5 + $6::bigint, $7::bytea`
  /** The record that was taken, or the one that was met, beside its outcome. */
  const answer = (columns: string, taken: string, met: string) => `
    SELECT 'acquired' AS outcome, ${columns} FROM ${taken} UNION ALL SELECT outcome, ${columns} FROM ${met}`
  const answered = `outcome, ${view({
    request: "outcome = 'acquired' AND attempt > 1",
    checkpoint: "outcome = 'acquired'",
    result: "outcome = 'settled'",
  })}`

  return {
    /**
     * $3 owner, $4 fingerprint, $5 lease, $6 retention, $7 request. First it reads, so that replays and conflicts write
     * nothing. No outcome: a row stands there that this statement could not see yet; the next one can.
     */
    begin: {
      ...named(`
WITH${hit(`${table} WHERE k = $1`)},
taken AS (${first}
  FROM (SELECT ${NOW} AS now) n WHERE NOT EXISTS (SELECT FROM hit)
  ON CONFLICT ON CONSTRAINT ${layout} DO UPDATE
  SET (token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at, request, checkpoint_seq, checkpoint, result) = (
    SELECT greatest(r.token + 1, now), $3, $4, 'in_progress', CASE WHEN fresh THEN 1 ELSE r.attempt + 1 END,
      NOT fresh AND (r.state = 'in_progress' OR r.interrupted), now + $5,
      greatest(CASE WHEN NOT fresh THEN r.expires_at END, now + $5 + $6), CASE WHEN fresh THEN $7 ELSE r.request END,
      CASE WHEN NOT fresh THEN r.checkpoint_seq END, CASE WHEN NOT fresh THEN r.checkpoint END, NULL::bytea
    FROM (SELECT now, r.state NOT IN ('in_progress', 'released') OR r.fingerprint <> $4 OR r.expires_at <= now AS fresh
          FROM (SELECT ${NOW} AS now) n) f)
  WHERE r.state = 'tombstone' OR r.expires_at <= ${NOW} OR (r.fingerprint = $4 AND r.lease_until <= ${NOW}
    AND (r.state = 'released' OR (r.state = 'in_progress' AND r.owner <> $3)))
  RETURNING *, lease_until - $5 AS now)${reply(answered, `(${answer(VIEWED, 'taken', 'hit')}) a`)}`),
      // acquires where there is no row, and leaves every other acquisition to a call of its own
      many: named(`
WITH ${callsOf(['text', 'text', 'bigint', 'bigint', 'bytea'])},${ofCall(hit(`calls CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE k = key) found`), 'r')},
free AS MATERIALIZED (
  SELECT DISTINCT ON (key) * FROM calls c WHERE NOT EXISTS (SELECT FROM hit WHERE hit.i = c.i) ORDER BY key, i),
taken AS (${ofCall(first, 'f')}
  FROM free f, (SELECT ${NOW} AS now, set_config('lock_timeout', '${BATCH_PATIENCE_MS}', true) AS patience) n ORDER BY key
  ON CONFLICT ON CONSTRAINT ${layout} DO NOTHING
  RETURNING *, token AS now)
SELECT row_to_json(reply)::text AS reply FROM (
  SELECT i, ${DURABLE}, ${answered} FROM (${answer(`i, ${VIEWED}`, 'taken JOIN free ON key = k', 'hit')}) a
  WHERE coalesce(octet_length(request), 0) + coalesce(octet_length(checkpoint), 0) + coalesce(octet_length(result), 0) <= ${MAX_BATCHED_BYTES}) reply`),
    },

    get: named(
      reply(
        view({ request: 'true', checkpoint: 'true', result: 'true' }),
        `(SELECT *, ${NOW} AS now FROM ${table} WHERE k = $1) r`,
      ),
    ),

    /** Transitions take $3 token. Renewals: $4 lease, $5 retention; with a checkpoint $6 seq, $7 data. */
    renew: transition('renew', ['bigint', 'bigint'], renewal),
    checkpoint: transition(
      'renew',
      ['bigint', 'bigint', 'bigint', 'bytea'],
      `${renewal}, checkpoint_seq = CASE WHEN ${newer} THEN $6 ELSE v.checkpoint_seq END,
  checkpoint = CASE WHEN ${newer} THEN $7::bytea ELSE v.checkpoint END`,
      { applied: newer },
    ),
    /** $4 completed or failed, $5 retention, $6 result. */
    settle: transition(
      'completed',
      ['text', 'bigint', 'bytea'],
      'state = $4, result = $6::bytea, checkpoint_seq = NULL, checkpoint = NULL, expires_at = v.now + $5::bigint',
      { target: '$4' },
    ),
    /** $4 delay, $5 retention, $6 unresolved, $7 shorten. Without a delay the next attempt is due whatever the clock does. */
    release: transition(
      'released',
      ['bigint', 'bigint', 'boolean', 'boolean'],
      `state = 'released', owner = '', interrupted = $6::boolean, expires_at = greatest(CASE WHEN $7::boolean THEN 0 ELSE v.expires_at END, v.now + $4 + $5::bigint),
  lease_until = CASE WHEN $4::bigint > 0 THEN v.now + $4 ELSE 0 END`,
    ),
    /** $4 retention. */
    park: transition('parked', ['bigint'], "state = 'parked', expires_at = v.now + $4::bigint"),
    /** $4 tombstone. */
    forget: transition(
      'forgotten',
      ['bigint'],
      `state = 'tombstone', owner = '', fingerprint = '', attempt = 0, interrupted = false, lease_until = 0,
  expires_at = v.now + $4::bigint, request = NULL, checkpoint_seq = NULL, checkpoint = NULL, result = NULL`,
      { target: "'tombstone'" },
    ),

    /** $1 limit, $3 grace. The clock stands in sub-selects, so that the index serves. */
    purge: {
      text: `
WITH old AS MATERIALIZED (
  SELECT k FROM ${table} WHERE expires_at <= (SELECT ${NOW} - $3::bigint) AND token < (SELECT ${NOW})
    ${hasSlots ? `AND expires_slot <= (SELECT (${NOW} - $3::bigint) / ${SLOT_US})` : ''}
  ORDER BY ${hasSlots ? 'expires_slot' : 'expires_at'} LIMIT $1 FOR UPDATE SKIP LOCKED),
purged AS (DELETE FROM ${table} r USING old WHERE r.k = old.k RETURNING 1)
SELECT count(*)::text AS reply FROM purged`,
    },

    /** A page in the order of the primary key: reads no more records than it gives, where most of them match. */
    list: list('k'),
    /** A page that reads all records of the range at once, where few of them match: the index does not serve this order. */
    search: list("k || ''"),

    /**
     * $1 and $3 the range of keys. Reads every row, since an index by state would end the updates that write no index entry.
     * OFFSET keeps the planner from expecting as many groups as there are keys, for which it would sort them all on disk.
     */
    count: {
      text: `
SELECT row_to_json(r)::text AS reply FROM (
  SELECT split_part(prefix, '.', 2) AS operation, state, sum(records) AS records, sum(expired) AS "leaseExpired",
    greatest(0, max(longest)) / 1000 AS "longestExpiredMs"
  FROM (
    SELECT prefix, state, count(*) AS records, count(*) FILTER (WHERE overdue >= 0) AS expired, max(overdue) AS longest
    FROM (
      SELECT left(k, -${DIGEST_LENGTH}) AS prefix, state, CASE state WHEN 'in_progress' THEN (SELECT ${NOW}) - lease_until END AS overdue
      FROM ${table} WHERE k > $1 AND k < $3 AND state <> 'tombstone' AND expires_at > (SELECT ${NOW}) OFFSET 0) live
    GROUP BY 1, 2) counted
  GROUP BY 1, 2 ORDER BY 1, 2) r`,
    },
  }
}
