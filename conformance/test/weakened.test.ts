import { describe, test } from 'vitest'
import { service } from '../../scripts/services.mjs'
import type { AnyHarness } from '../src/store/harness.ts'
import { weakenedMongodb } from './weakened/mongodb.ts'
import { weakenedMysql } from './weakened/mysql.ts'
import { weakenedPostgres } from './weakened/postgres.ts'
import { weakenedRedis } from './weakened/redis.ts'

// on a busy machine the calls of a race may well come one after the other, so that a few rounds see nothing
process.env.FC_ROUNDS ??= '60'
const { checks } = await import('../src/store/checks.ts')
const { settings } = await import('../src/store/tools/settings.ts')

/** One of our statements with one thing changed, and the check that must find it. */
interface Weakened {
  readonly name: string
  readonly rejectedBy: string
  readonly weaken: (statement: string) => string
  readonly now?: () => number
}

const without = (part: string | RegExp, by = '') => {
  return (statement: string) => statement.replaceAll(part instanceof RegExp ? new RegExp(part, 'g') : part, by)
}

const postgres: readonly Weakened[] = [
  {
    name: 'a transition looks at no token',
    rejectedBy: 'C3',
    weaken: without('token IS DISTINCT FROM $3 OR', 'false OR'),
  },
  { name: 'a transition looks at no expiry', rejectedBy: 'C5', weaken: without('OR expires_at <= now') },
  {
    name: 'a transition decides before it holds the record',
    rejectedBy: 'C9-open-transaction',
    weaken: without('FOR NO KEY UPDATE'),
  },
  {
    name: 'the clock is that of the start of the statement',
    rejectedBy: 'C5-open-transaction',
    weaken: without('clock_timestamp()', 'statement_timestamp()'),
  },
  {
    name: 'who inserts second overwrites the first',
    rejectedBy: 'C1-first-arrival',
    weaken: without(/WHERE r\.state = 'tombstone'[\s\S]*?(?=RETURNING)/),
  },
  { name: 'a purge looks at no token', rejectedBy: 'C17-instant', weaken: without(/AND token < \(SELECT .*\)/) },
  {
    name: 'the clock is that of the client',
    rejectedBy: 'C21',
    weaken: (statement) => statement,
    now: () => Date.now(),
  },
]

const mysql: readonly Weakened[] = [
  {
    name: 'the clock is that of the start of the statement',
    rejectedBy: 'C5-open-transaction',
    weaken: without(/\+ MOD\(TIMESTAMPDIFF\(MICROSECOND, NOW\(6\), SYSDATE\(6\)\) \+ \d+, \d+\) - \d+/),
  },
  {
    name: 'a takeover does not look whether the record is still what it read',
    rejectedBy: 'C1-takeover',
    weaken: without(
      /AND token = \d+ AND state = \S+ AND lease_until = \d+\s+AND expires_at = \d+ AND checkpoint_seq <=> \w+/,
    ),
  },
  {
    name: 'keys are text in the default collation',
    rejectedBy: 'C19',
    weaken: (statement) =>
      statement
        .replace('k varbinary(255)', 'k varchar(255) CHARACTER SET utf8mb4')
        .replace('column_type AS type', "IF(column_name = 'k', 'varbinary(255)', column_type) AS type"),
  },
]

const redis: readonly Weakened[] = [
  { name: 'a transition looks at no token', rejectedBy: 'C3', weaken: without('or token ~= tonumber(held)') },
  {
    name: 'nothing expires',
    rejectedBy: 'C5',
    weaken: without('local present = expires > now', "local present = record ~= ''"),
  },
  { name: 'a token is the clock alone', rejectedBy: 'C2', weaken: without('math.max(token + 1, now)', 'now') },
]

const mongodb: readonly Weakened[] = [
  {
    name: 'nothing expires',
    rejectedBy: 'C5',
    weaken: without('{"$gt":["$expiresAt","$$now"]}', '{"$gt":["$expiresAt",0]}'),
  },
  {
    name: 'the clock is that of the start of the command',
    rejectedBy: 'C9-open-transaction',
    weaken: without('{"$max":["$$now","$at"]}', '{"$max":["$$now",0]}'),
  },
  {
    name: 'a short insertion, alone or shared, overwrites what is there',
    rejectedBy: 'C1-first-arrival',
    weaken: without('{"$eq":["$$ROOT",{"_id":"$_id"}]}', '{"$eq":[0,0]}'),
  },
  {
    name: 'a settlement by its short command looks at no token',
    rejectedBy: 'C3',
    weaken: without(/\{"\$eq":\["\$token",\{"\$literal":\d+\}\]\}/, '{"$eq":[0,0]}'),
  },
]

await describeWeakened('postgres', postgres, (url, { weaken, now }) => weakenedPostgres(url, weaken, now && { now }))
await describeWeakened('mariadb', mysql, (url, { weaken }) => weakenedMysql(url, weaken))
await describeWeakened('redis', redis, (url, { weaken }) => weakenedRedis(url, weaken))
await describeWeakened('mongodb', mongodb, (url, { weaken }) => weakenedMongodb(url, weaken))

async function describeWeakened(
  name: 'postgres' | 'mariadb' | 'redis' | 'mongodb',
  all: readonly Weakened[],
  harness: (url: string, weakened: Weakened) => AnyHarness,
): Promise<void> {
  const server = await service(name)
  describe.skipIf(server.missing)(`${server.title}, weakened (FC_SEED=${settings.seed})`, () => {
    test.for(all)('$rejectedBy: $name', { timeout: 120_000 }, async (weakened, { expect }) => {
      const check = checks.find(({ id }) => id === weakened.rejectedBy)
      let changed = 0
      const weaken = (statement: string) => {
        const weak = weakened.weaken(statement)
        if (weak !== statement || weakened.now) changed++
        return weak
      }
      await expect(check?.run(harness(server.url, { ...weakened, weaken }))).rejects.toThrow()
      expect(changed, 'how many statements were changed').toBeGreaterThan(0)
    })
  })
}
