import type { Change, Claim } from '@retryproof/core/store'
import fc from 'fast-check'
import { freshKey } from '../tools/keys.ts'
import type { Twin } from './side-by-side.ts'

/** One step of a sequence. Keys are numbers; a token is said by its place among those that were seen, latest first. */
export type Step =
  | { readonly do: 'begin'; readonly key: number; readonly claim: Claim }
  | { readonly do: 'transition'; readonly key: number; readonly token: number | 'unseen'; readonly change: Change }
  /** Sends the last call on the key once more. */
  | { readonly do: 'again'; readonly key: number }
  | { readonly do: 'get'; readonly key: number }
  | { readonly do: 'wait'; readonly ms: number }
  /** Moves the clock to an end of lease or of retention, or to one millisecond beside it. */
  | { readonly do: 'wait until'; readonly key: number; readonly end: 'lease' | 'retention'; readonly plusMs: number }
  | { readonly do: 'purge'; readonly limit: number; readonly graceMs: number }

const KEYS = 2
// the same few everywhere, so that ends coincide
const shortMs = fc.constantFrom(0, 1, 2, 3, 10, 1000)
const durationMs = fc.oneof({ arbitrary: shortMs, weight: 9 }, { arbitrary: fc.constant(30 * 86_400_000), weight: 1 })
const key = fc.nat({ max: KEYS - 1 })
const bytes = fc.constantFrom(new Uint8Array(), new Uint8Array([0]), new Uint8Array([255, 0, 36]))

const claim: fc.Arbitrary<Claim> = fc.record(
  {
    owner: fc.constantFrom('ann', 'bob', 'cid'),
    fingerprint: fc.oneof(
      { arbitrary: fc.constant('one'), weight: 4 },
      { arbitrary: fc.constant('another'), weight: 1 },
    ),
    leaseMs: durationMs,
    retentionMs: durationMs,
    request: bytes,
  },
  { requiredKeys: ['owner', 'fingerprint', 'leaseMs', 'retentionMs'], noNullPrototype: true },
)

const checkpoint = fc.record({ seq: fc.nat({ max: 3 }), data: bytes }, { noNullPrototype: true })

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    arbitrary: fc.record(
      { to: fc.constant('renew' as const), leaseMs: durationMs, retentionMs: durationMs, checkpoint },
      { requiredKeys: ['to', 'leaseMs'], noNullPrototype: true },
    ),
    weight: 3,
  },
  {
    arbitrary: fc.record(
      { to: fc.constantFrom('completed' as const, 'failed' as const), result: bytes, retentionMs: durationMs },
      { noNullPrototype: true },
    ),
    weight: 3,
  },
  {
    arbitrary: fc.record(
      { to: fc.constant('released' as const), delayMs: durationMs, retentionMs: durationMs, unresolved: fc.boolean() },
      { requiredKeys: ['to', 'delayMs', 'retentionMs'], noNullPrototype: true },
    ),
    weight: 2,
  },
  fc.record({ to: fc.constant('parked' as const), retentionMs: durationMs }, { noNullPrototype: true }),
  fc.record({ to: fc.constant('forgotten' as const), tombstoneMs: durationMs }, { noNullPrototype: true }),
)

const token = fc.oneof(
  { arbitrary: fc.constant(0), weight: 5 },
  { arbitrary: fc.constantFrom(1, 2, 'unseen' as const), weight: 1 },
)

const begin = fc.record({ do: fc.constant('begin' as const), key, claim }, { noNullPrototype: true })
const transition = fc.record({ do: fc.constant('transition' as const), key, token, change }, { noNullPrototype: true })
const again = fc.record({ do: fc.constant('again' as const), key }, { noNullPrototype: true })
const get = fc.record({ do: fc.constant('get' as const), key }, { noNullPrototype: true })
const wait = fc.record({ do: fc.constant('wait' as const), ms: shortMs }, { noNullPrototype: true })
const waitUntil = fc.record(
  {
    do: fc.constant('wait until' as const),
    key,
    end: fc.constantFrom('lease' as const, 'retention' as const),
    plusMs: fc.constantFrom(-1, 0, 1),
  },
  { noNullPrototype: true },
)
const purge = fc.record(
  {
    do: fc.constant('purge' as const),
    limit: fc.constantFrom(1, 1000),
    graceMs: fc.constantFrom(0, 1, 10),
  },
  { noNullPrototype: true },
)

/** Sequences of calls in which anything may follow anything. */
export const sequences: fc.Arbitrary<readonly Step[]> = sequencesOf()

/** The same with purges in between. */
export const sequencesWithPurges: fc.Arbitrary<readonly Step[]> = sequencesOf({ arbitrary: purge, weight: 3 })

function sequencesOf(...more: readonly fc.WeightedArbitrary<Step>[]): fc.Arbitrary<readonly Step[]> {
  const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { arbitrary: begin, weight: 6 },
    { arbitrary: transition, weight: 8 },
    { arbitrary: again, weight: 2 },
    { arbitrary: get, weight: 2 },
    { arbitrary: wait, weight: 1 },
    { arbitrary: waitUntil, weight: 3 },
    ...more,
  )
  return fc.array(step, { minLength: 2, maxLength: 24, size: 'max' })
}

/** Runs a sequence on keys of its own, and at its end looks at every record once more. */
export async function runSequence(
  twin: Twin,
  steps: readonly Step[],
  purgeStore: (limit: number, graceMs: number) => Promise<void>,
): Promise<void> {
  const keys = Array.from({ length: KEYS }, () => createKey(twin))
  const at = (step: { readonly key: number }) => keys[step.key] as SequenceKey
  for (const step of steps) {
    switch (step.do) {
      case 'begin':
        await at(step).begin(step.claim)
        break
      case 'transition':
        await at(step).transition(step.token, step.change)
        break
      case 'again':
        await at(step).again()
        break
      case 'get':
        await twin.get(at(step).name)
        break
      case 'wait':
        twin.advance(step.ms)
        break
      case 'wait until':
        twin.advance(untilEnd(twin, at(step).name, step))
        break
      case 'purge':
        await purgeStore(step.limit, step.graceMs)
        break
    }
  }
  for (const { name } of keys) await twin.get(name)
}

type SequenceKey = ReturnType<typeof createKey>

/** A key, the tokens that were seen of it, and the last call on it. */
function createKey(twin: Twin) {
  const name = freshKey('sequence')
  const tokens: number[] = []
  let last: () => Promise<unknown> = () => twin.get(name)
  const call = (next: () => Promise<unknown>) => {
    last = next
    return next()
  }
  return {
    name,
    again: () => last(),
    begin: (claim: Claim) =>
      call(async () => {
        const reply = await twin.begin(claim, name)
        if (!tokens.includes(reply.token)) tokens.unshift(reply.token)
      }),
    transition(place: number | 'unseen', change: Change) {
      const seen = place === 'unseen' ? undefined : tokens[place]
      const token = seen ?? (tokens[0] ?? 0) + 1
      return call(() => twin.transition(token, change, name))
    },
  }
}

/** The time until that moment; 0 when it is past, or so far that many runs would use up the clock. */
function untilEnd(twin: Twin, key: string, step: Extract<Step, { do: 'wait until' }>): number {
  const record = twin.record(key)
  if (!record) return 0
  const endMs = (step.end === 'lease' ? record.leaseUntil : record.expiresAt) / 1000 + step.plusMs
  const ms = endMs - twin.clock.nowMs
  return ms > 0 && ms <= 10_000 ? ms : 0
}
