import {
  type BeginReply,
  type Change,
  type Claim,
  type Reduced,
  reduce,
  type StoredRecord,
  type TransitionReply,
} from '@retryproof/core/store'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { addressOf, freshPrefix, ioredis6, storeFor } from './harness.ts'

const redis = await service('redis')

/** Lengths on both sides of what the script reads of every record. */
const bytes = fc
  .tuple(fc.oneof(fc.integer({ min: 3700, max: 4300 }), fc.constantFrom(0, 1, 9000)), fc.integer({ max: 255, min: 0 }))
  .map(([length, fill]) => new Uint8Array(length).fill(fill))
const ms = fc.constantFrom(0, 10, 1000)
const text = fc.oneof(fc.constantFrom('a', 'ä'), fc.constant('x'.repeat(5000)))
const claim: fc.Arbitrary<Claim> = fc
  .record({ owner: text, fingerprint: text, leaseMs: ms, retentionMs: ms, request: fc.option(bytes) })
  .map(({ request, ...rest }) => ({ ...rest, ...(request && { request }) }))
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ to: fc.constant('renew' as const), leaseMs: ms, retentionMs: ms }),
  fc.record({
    to: fc.constant('renew' as const),
    leaseMs: ms,
    checkpoint: fc.record({ seq: fc.integer({ min: 0, max: 3 }), data: bytes }),
  }),
  fc.record({ to: fc.constantFrom('completed', 'failed'), result: bytes, retentionMs: ms }),
  fc.record({ to: fc.constant('released' as const), delayMs: ms, retentionMs: ms, unresolved: fc.boolean() }),
  fc.record({ to: fc.constant('parked' as const), retentionMs: ms }),
  fc.record({ to: fc.constant('forgotten' as const), tombstoneMs: ms }),
)
const step = fc.oneof(
  fc.record({ claim, after: ms }),
  fc.record({ change, after: ms, isStale: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.boolean()) }),
)

describe.skipIf(redis.missing)('values of any length', () => {
  test('each reply is that of the contract', { timeout: 60_000 }, async () => {
    const prefix = freshPrefix()
    let now = 1_700_000_000_000
    const store = storeFor(ioredis6(addressOf(redis.nodes)), { prefix, now: () => now })
    await fc.assert(
      fc.asyncProperty(fc.uuid(), fc.array(step, { minLength: 1, maxLength: 12 }), async (key, steps) => {
        let record: StoredRecord | null = null
        let token = 0
        for (const each of steps) {
          now += each.after
          if ('claim' in each) {
            const expected: Reduced<BeginReply> = reduce(record, { op: 'begin', claim: each.claim }, now * 1000)
            expect(await store.begin(key, each.claim)).toEqual(expected.reply)
            record = expected.record
            token = expected.reply.token
          } else {
            const given = each.isStale ? token - 1 : token
            const expected: Reduced<TransitionReply> = reduce(
              record,
              { op: 'transition', token: given, change: each.change },
              now * 1000,
            )
            expect(await store.transition(key, given, each.change)).toEqual(expected.reply)
            record = expected.record
          }
          expect(await store.get(key)).toEqual(reduce(record, { op: 'get' }, now * 1000).reply)
        }
      }),
      { numRuns: 50 },
    )
  })
})
