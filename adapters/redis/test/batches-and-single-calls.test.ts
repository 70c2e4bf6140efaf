import type { Change } from '@retryproof/core/store'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { RedisStore } from '../src/index.ts'
import { addressOf, bytesOf, ioredis6, storeFor } from './harness.ts'

const redis = await service('redis')
const address = addressOf(redis.nodes)

test.skipIf(redis.missing)(
  'calls of one tick answer as they do one by one, whatever they are',
  { timeout: 60_000 },
  async () => {
    let now = 1_000_000
    const open = (batch: boolean) => storeFor(ioredis6(address), { batch, now: () => now })
    const stores = [open(true), open(false)]
    const key = fc.constantFrom('a', 'b', 'c')
    const ms = fc.constantFrom(0, 10, 100)
    const text = fc.constantFrom('x', 'y z', 'ä\0')
    const bytes = fc.constantFrom(Uint8Array.of(), Uint8Array.of(255), bytesOf('ascii'), bytesOf('ü'))
    const request = fc.option(
      bytes.map((value) => ({ request: value })),
      { nil: {} },
    )
    const ofBegin = { key, owner: text, fingerprint: text, leaseMs: ms, retentionMs: ms, request }
    const begin = fc.record({ op: fc.constant('begin' as const), ...ofBegin })
    const to = fc.constantFrom('renew', 'checkpoint', 'completed', 'failed', 'released', 'parked', 'forgotten')
    const ofChange = { key, to, ms, retentionMs: ms, data: bytes, flag: fc.boolean(), seq: fc.nat(3) }
    const change = fc.record({ op: fc.constant('change' as const), ...ofChange })
    const get = fc.record({ op: fc.constant('get' as const), key })
    const ops = fc.array(fc.oneof(begin, change, get), { minLength: 1, maxLength: 40 })
    type Op = typeof ops extends fc.Arbitrary<(infer One)[]> ? One : never
    const run = (store: RedisStore, prefix: string, tokens: Map<string, number>, op: Op) => {
      const name = prefix + op.key
      if (op.op === 'change') return store.transition(name, tokens.get(op.key) ?? 1, changeOf(op))
      if (op.op === 'get') return store.get(name)
      const { owner, fingerprint, leaseMs, retentionMs, request: given } = op
      return store.begin(name, { owner, fingerprint, leaseMs, retentionMs, ...given })
    }
    const rounds = fc.array(fc.tuple(fc.nat(60), ops), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.uuid(), rounds, async (prefix, all) => {
        const tokens = new Map<string, number>()
        for (const [passes, together] of all) {
          now += passes
          const [batched, single] = await Promise.all(
            stores.map((store) => Promise.all(together.map((op) => run(store, prefix, tokens, op)))),
          )
          expect(batched).toEqual(single)
          together.forEach(({ key: name }, index) => {
            const answer = single?.[index]
            if (answer && 'token' in answer) tokens.set(name, answer.token)
          })
        }
      }),
      { numRuns: 150 },
    )
  },
)

interface ChangeOp {
  readonly to: string
  readonly ms: number
  readonly retentionMs: number
  readonly data: Uint8Array | undefined
  readonly flag: boolean
  readonly seq: number
}

function changeOf({ to, ms, retentionMs, data = bytesOf('data'), flag, seq }: ChangeOp): Change {
  switch (to) {
    case 'renew':
      return { to, leaseMs: ms, retentionMs }
    case 'checkpoint':
      return { to: 'renew', leaseMs: ms, retentionMs, checkpoint: { seq, data } }
    case 'released':
      return { to, delayMs: ms, retentionMs, unresolved: flag, shorten: !flag }
    case 'parked':
      return { to, retentionMs }
    case 'forgotten':
      return { to, tombstoneMs: ms }
    default:
      return { to: to === 'failed' ? 'failed' : 'completed', result: data, retentionMs }
  }
}
