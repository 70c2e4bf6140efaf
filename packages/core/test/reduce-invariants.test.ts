/** The invariants of the contract (C1 to C17) on random histories of one key, with a clock that only sometimes moves. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPurgeable } from '../src/store/purgeable.ts'
import { type Command, reduce, type StoredRecord } from '../src/store/reduce.ts'
import type { BeginReply, Change, RecordState, TransitionReply } from '../src/store/store.ts'

const START = 1_700_000_000_000_000
const GRACE_MS = 100
const bytes = fc.uint8Array({ maxLength: 3 })
const duration = fc.constantFrom(0, 1, 5, 20, 100)

/** A command that may name any token that was ever given out, the newest most of all. */
type Step =
  | { readonly kind: 'wait'; readonly us: number }
  | {
      readonly kind: 'begin'
      readonly owner: string
      readonly fingerprint: string
      readonly leaseMs: number
      readonly retentionMs: number
      readonly request: Uint8Array
    }
  | { readonly kind: 'change'; readonly age: number; readonly change: Change }
  | { readonly kind: 'get' }
  | { readonly kind: 'purge' }

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ to: fc.constant('renew' as const), leaseMs: duration }),
  fc.record({
    to: fc.constant('renew' as const),
    leaseMs: duration,
    retentionMs: duration,
    checkpoint: fc.record({ seq: fc.nat({ max: 4 }), data: bytes }),
  }),
  fc.record({ to: fc.constantFrom('completed' as const, 'failed' as const), result: bytes, retentionMs: duration }),
  fc.record({
    to: fc.constant('released' as const),
    delayMs: duration,
    retentionMs: duration,
    unresolved: fc.boolean(),
  }),
  fc.record({ to: fc.constant('parked' as const), retentionMs: duration }),
  fc.record({ to: fc.constant('forgotten' as const), tombstoneMs: duration }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      us: fc.constantFrom(0, 1, 999, 1000, 5000, 20_000, 100_000, 300_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('begin' as const),
      owner: fc.constantFrom('a', 'b', 'c'),
      fingerprint: fc.constantFrom('f', 'f', 'f', 'g'),
      leaseMs: duration,
      retentionMs: duration,
      request: bytes,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('change' as const), age: fc.constantFrom(0, 0, 0, 1, 2), change }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'get' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'purge' as const }) },
)

/** One step as it was taken. */
interface Taken {
  readonly command: Command
  readonly now: number
  readonly before: StoredRecord | null
  readonly after: StoredRecord | null
  readonly reply: BeginReply | TransitionReply | ReturnType<typeof reduce>['reply']
}

function play(steps: readonly Step[], { purging = true } = {}): Taken[] {
  let record: StoredRecord | null = null
  let now = START
  const tokens: number[] = [0]
  const taken: Taken[] = []
  const take = (command: Command) => {
    const before: StoredRecord | null = record
    const reduced = reduce(before, command as never, now)
    record = reduced.record
    const reply = reduced.reply as Taken['reply']
    taken.push({ command, now, before, after: record, reply })
    if (command.op === 'begin' && reply && 'outcome' in reply && reply.outcome === 'acquired' && 'token' in reply) {
      if (reply.token !== tokens.at(-1)) tokens.push(reply.token)
    }
  }
  for (const each of steps) {
    switch (each.kind) {
      case 'wait':
        now += each.us
        break
      case 'begin': {
        const { kind: _, ...claim } = each
        take({ op: 'begin', claim })
        break
      }
      case 'change':
        take({ op: 'transition', token: tokens.at(-1 - each.age) ?? 0, change: each.change })
        break
      case 'get':
        take({ op: 'get' })
        break
      case 'purge':
        if (purging && record && isPurgeable(record, now, GRACE_MS)) record = null
    }
  }
  return taken
}

function always(check: (taken: Taken, index: number, all: readonly Taken[]) => void): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      play(steps).forEach(check)
    }),
    { numRuns: 500 },
  )
}

const isLive = (record: StoredRecord | null, now: number): record is StoredRecord & { readonly state: RecordState } =>
  record !== null && record.state !== 'tombstone' && record.expiresAt > now
const acquired = ({ command, before, after }: Taken) =>
  command.op === 'begin' && after !== null && after.state === 'in_progress' && after !== before ? after : null

describe('on any history', () => {
  test('C1: a key is acquired only when nobody holds it', () => {
    always((taken) => {
      if (!acquired(taken) || !isLive(taken.before, taken.now)) return
      expect(['in_progress', 'released']).toContain(taken.before.state)
      expect(taken.before.leaseUntil).toBeLessThanOrEqual(taken.now)
    })
  })

  test('C2, C17: tokens rise, also over expiry, forgetting and purging, and are safe integers', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        let last = 0
        for (const taken of play(steps)) {
          const token = acquired(taken)?.token
          if (token === undefined) continue
          expect(token).toBeGreaterThan(last)
          expect(Number.isSafeInteger(token)).toBe(true)
          last = token
        }
      }),
      { numRuns: 500 },
    )
  })

  test('C3: a stale token’s transition is lost, and changes nothing', () => {
    always(({ command, before, after, reply }) => {
      if (command.op !== 'transition' || before?.token === command.token) return
      expect(reply).toMatchObject({ outcome: 'lost' })
      expect(after).toBe(before)
    })
  })

  test('C4: a settled record stays as it is, until it expires or is forgotten', () => {
    always(({ command, now, before, after }) => {
      if (!isLive(before, now) || (before.state !== 'completed' && before.state !== 'failed')) return
      if (command.op === 'transition' && command.change.to === 'forgotten') return
      expect(after).toBe(before)
    })
  })

  test('C5: expired is as absent, but for the token that it keeps', () => {
    always(({ command, now, before, reply }) => {
      if (before === null || isLive(before, now) || before.state === 'tombstone') return
      const fresh = reduce(null, command as never, now).reply as Taken['reply']
      if (fresh && 'token' in fresh && reply && 'token' in reply)
        expect({ ...reply, token: 0 }).toEqual({ ...fresh, token: 0 })
      else expect(reply).toEqual(fresh)
    })
  })

  test('C6, C7: a mismatch, a replay and an in-progress answer change nothing; get never does', () => {
    always(({ command, before, after, reply }) => {
      const quiet =
        command.op === 'get' ||
        (command.op === 'begin' &&
          reply &&
          'outcome' in reply &&
          ['mismatch', 'settled', 'in_progress'].includes(reply.outcome))
      if (quiet) expect(after).toBe(before)
    })
  })

  test('C8: the same begin again is the same attempt', () => {
    always(({ command, now, after, reply }) => {
      if (command.op !== 'begin' || after === null || !reply || !('outcome' in reply) || reply.outcome !== 'acquired')
        return
      if (!isLive(after, now)) return
      for (const later of [now, after.leaseUntil, after.expiresAt - 1]) {
        if (!isLive(after, later)) continue
        const again = reduce(after, command, later)
        expect(again.record).toBe(after)
        expect(again.reply).toMatchObject({
          outcome: 'acquired',
          token: after.token,
          attempt: after.attempt,
          interrupted: after.interrupted,
        })
      }
    })
  })

  test('C9: the same transition again, other than a renewal, is ok, not applied, and changes nothing', () => {
    always(({ command, now, after, reply }) => {
      if (command.op !== 'transition' || command.change.to === 'renew' || !reply || !('outcome' in reply)) return
      if (reply.outcome !== 'ok' || after === null || after.expiresAt <= now) return
      expect(reduce(after, command, now)).toEqual({ record: after, reply: { outcome: 'ok', applied: false } })
    })
  })

  test('C10: whoever holds the token of an attempt in progress may write, lease or no lease', () => {
    always(({ command, now, before, reply }) => {
      if (command.op !== 'transition' || !isLive(before, now) || before.token !== command.token) return
      if (before.state === 'in_progress') expect(reply).toMatchObject({ outcome: 'ok' })
    })
  })

  test('C11: a record outlasts its lease by the retention, and its delay by the retention; a renewal shortens nothing', () => {
    always((taken) => {
      const { command, now, before, after } = taken
      const begun = acquired(taken)
      if (begun && command.op === 'begin') {
        expect(begun.expiresAt).toBeGreaterThanOrEqual(begun.leaseUntil + command.claim.retentionMs * 1000)
      }
      if (command.op !== 'transition' || after === before || !after || !before) return
      const { change } = command
      if (change.to === 'released') {
        expect(after.expiresAt).toBeGreaterThanOrEqual(now + (change.delayMs + change.retentionMs) * 1000)
      }
      if (change.to === 'renew') {
        expect(after.leaseUntil).toBeGreaterThanOrEqual(before.leaseUntil)
        expect(after.expiresAt).toBeGreaterThanOrEqual(Math.max(before.expiresAt, after.leaseUntil))
      }
    })
  })

  test('C12, C13: the next attempt counts on, keeps its work, and is interrupted where its holder fell silent or said so', () => {
    always((taken) => {
      const begun = acquired(taken)
      const { before, now } = taken
      if (!begun || !isLive(before, now)) return
      expect(begun).toMatchObject({ attempt: before.attempt + 1, fingerprint: before.fingerprint })
      expect(begun.request).toBe(before.request)
      expect(begun.checkpoint).toBe(before.checkpoint)
      expect(begun.interrupted).toBe(before.state === 'in_progress' || before.interrupted)
    })
  })

  test('C13: after a release without delay the next begin acquires, and the token is dead', () => {
    always(({ command, now, after, reply }) => {
      if (command.op !== 'transition' || command.change.to !== 'released' || !isLive(after, now)) return
      if (!reply || !('applied' in reply) || !reply.applied) return
      const claim = { owner: 'next', fingerprint: after.fingerprint, leaseMs: 10, retentionMs: 10 }
      const next = reduce(after, { op: 'begin', claim }, now).reply
      expect(next.outcome).toBe(command.change.delayMs === 0 ? 'acquired' : 'in_progress')
      const late: Change = { to: 'completed', result: new Uint8Array(), retentionMs: 10 }
      expect(reduce(after, { op: 'transition', token: command.token, change: late }, now).reply.outcome).toBe('lost')
    })
  })

  test('C14, C16: a new incarnation shows nothing of the old one, and takes any payload', () => {
    always((taken) => {
      const begun = acquired(taken)
      if (!begun || taken.command.op !== 'begin' || isLive(taken.before, taken.now)) return
      expect(begun).toMatchObject({ attempt: 1, interrupted: false, checkpoint: null, result: null })
      expect(begun.request).toBe(taken.command.claim.request)
      expect(begun.fingerprint).toBe(taken.command.claim.fingerprint)
    })
  })

  test('C15: only a renewal changes the checkpoint, and its seq never falls while the record lives', () => {
    always(({ command, now, before, after }) => {
      if (!isLive(before, now) || !isLive(after, now) || before.checkpoint === after.checkpoint) return
      if (command.op !== 'transition') return expect.unreachable('only a transition changes a checkpoint')
      if (command.change.to === 'renew') expect(after.checkpoint?.seq).toBeGreaterThan(before.checkpoint?.seq ?? -1)
      else expect(after).toMatchObject({ checkpoint: null, state: expect.stringMatching(/^(completed|failed)$/) })
    })
  })

  test('C17: purging is not to be seen', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const plain = (taken: readonly Taken[]) =>
          taken.map(({ reply }) =>
            reply && 'token' in reply
              ? { ...reply, token: 0 }
              : reply && 'current' in reply && reply.current
                ? { ...reply, current: { ...reply.current, token: 0 } }
                : reply,
          )
        expect(plain(play(steps))).toEqual(plain(play(steps, { purging: false })))
      }),
      { numRuns: 500 },
    )
  })

  test('replies carry whole milliseconds, at least 0, and no bytes that their reader does not need', () => {
    always(({ command, reply }) => {
      const view = reply && 'current' in reply ? reply.current : reply && 'state' in reply ? reply : null
      if (!view) return
      expect(Number.isInteger(view.leaseRemainingMs) && view.leaseRemainingMs >= 0).toBe(true)
      expect(Number.isInteger(view.retentionRemainingMs) && view.retentionRemainingMs >= 0).toBe(true)
      if (view.state !== 'in_progress' && view.state !== 'released') expect(view.leaseRemainingMs).toBe(0)
      if (command.op === 'get') return
      const outcome = reply && 'outcome' in reply ? reply.outcome : ''
      if (outcome !== 'acquired') expect([view.request, view.checkpoint]).toEqual([null, null])
      if (outcome === 'acquired' && view.attempt === 1) expect(view.request).toBeNull()
      if (outcome !== 'settled' && outcome !== 'lost') expect(view.result).toBeNull()
    })
  })
})
