/** The contract's tables, cell by cell: what each operation answers in each state, and what it leaves. */
import { describe, expect, test } from 'vitest'
import { isPurgeable } from '../src/store/purgeable.ts'
import { acceptedFrom, type Command, reduce, type StoredRecord } from '../src/store/reduce.ts'
import type { Change, Claim } from '../src/store/store.ts'

const MS = 1000
const NOW = 1_700_000_000_000 * MS
const bytes = (text: string) => new TextEncoder().encode(text)

const claim: Claim = {
  owner: 'new',
  fingerprint: 'f',
  leaseMs: 30_000,
  retentionMs: 3_600_000,
  request: bytes('asked'),
}
const begin = (record: StoredRecord | null, changes: Partial<Claim> = {}, now = NOW) =>
  reduce(record, { op: 'begin', claim: { ...claim, ...changes } }, now)
const transition = (record: StoredRecord | null, change: Change, token = TOKEN, now = NOW) =>
  reduce(record, { op: 'transition', token, change }, now)
const get = (record: StoredRecord | null, now = NOW) => reduce(record, { op: 'get' }, now).reply

const TOKEN = NOW - 10_000 * MS

/** An attempt that began 10 s ago, with 20 s of its lease left. */
const running: StoredRecord = {
  state: 'in_progress',
  token: TOKEN,
  owner: 'old',
  fingerprint: 'f',
  attempt: 3,
  interrupted: false,
  leaseUntil: NOW + 20_000 * MS,
  expiresAt: NOW + 3_620_000 * MS,
  request: bytes('asked at first'),
  checkpoint: { seq: 2, data: bytes('step 2') },
  result: null,
}
const lapsed: StoredRecord = { ...running, leaseUntil: NOW }
const released: StoredRecord = { ...running, state: 'released', owner: '' }
const due: StoredRecord = { ...released, leaseUntil: 0 }
const parked: StoredRecord = { ...running, state: 'parked' }
const completed: StoredRecord = { ...running, state: 'completed', checkpoint: null, result: bytes('paid') }
const failed: StoredRecord = { ...running, state: 'failed', checkpoint: null, result: bytes('declined') }
const tombstone: StoredRecord = {
  state: 'tombstone',
  token: TOKEN,
  owner: '',
  fingerprint: '',
  attempt: 0,
  interrupted: false,
  leaseUntil: 0,
  expiresAt: NOW + 60_000 * MS,
  request: null,
  checkpoint: null,
  result: null,
}
const live = { running, lapsed, released, due, parked, completed, failed }
const settled = { completed, failed, parked }

describe('begin', () => {
  test.each<[string, StoredRecord | null, number]>([
    ['there is none', null, NOW],
    ['it has expired this very moment', { ...completed, expiresAt: NOW }, NOW],
    ['it expired long ago', { ...running, expiresAt: 1 }, NOW],
    ['it is a tombstone', tombstone, NOW],
    ['it is an expired tombstone', { ...tombstone, expiresAt: NOW }, NOW],
    ['its token is ahead of the clock', { ...tombstone, token: NOW + 5 }, NOW + 6],
  ])('not live, since %s: a new incarnation, which shows nothing of the old one', (_, old, token) => {
    const { record, reply } = begin(old)
    const expected = {
      state: 'in_progress',
      token,
      fingerprint: 'f',
      attempt: 1,
      interrupted: false,
      checkpoint: null,
      result: null,
    }
    expect(record).toEqual({
      ...expected,
      owner: 'new',
      leaseUntil: NOW + 30_000 * MS,
      expiresAt: NOW + 3_630_000 * MS,
      request: claim.request,
    })
    expect(reply).toEqual({
      ...expected,
      outcome: 'acquired',
      leaseRemainingMs: 30_000,
      retentionRemainingMs: 3_630_000,
      request: null,
    })
  })

  test('without a request it keeps none', () => {
    const { request: _, ...bare } = claim
    expect(reduce(null, { op: 'begin', claim: bare }, NOW).record?.request).toBeNull()
  })

  test.each(Object.entries(live))(
    '%s, another fingerprint: mismatch, which tells no bytes and changes nothing',
    (_, record) => {
      const outcome = begin(record, { fingerprint: 'other' })
      expect(outcome.record).toBe(record)
      expect(outcome.reply).toMatchObject({
        outcome: 'mismatch',
        state: record.state,
        fingerprint: 'f',
        request: null,
        checkpoint: null,
        result: null,
      })
    },
  )

  test('the same owner with another fingerprint is a mismatch too', () => {
    expect(begin(running, { owner: 'old', fingerprint: 'other' }).reply.outcome).toBe('mismatch')
  })

  test.each(Object.entries(settled))('%s: settled, with its result; the retention is not extended', (_, record) => {
    const outcome = begin(record, { owner: 'old', retentionMs: 1e9 })
    expect(outcome.record).toBe(record)
    expect(outcome.reply).toMatchObject({
      outcome: 'settled',
      state: record.state,
      token: TOKEN,
      attempt: 3,
      leaseRemainingMs: 0,
      retentionRemainingMs: 3_620_000,
      request: null,
      checkpoint: null,
    })
    expect(outcome.reply.result).toBe(record.result)
  })

  test.each([
    ['running', running, 20_000],
    ['lapsed', lapsed, 0],
    ['long lapsed', { ...running, leaseUntil: NOW - 1e9 }, 0],
  ] as const)('%s, the same owner: acquired again, the same token and attempt, nothing changed', (_, record, left) => {
    const outcome = begin(record, { owner: 'old', leaseMs: 60_000 })
    expect(outcome.record).toBe(record)
    expect(outcome.reply).toMatchObject({
      outcome: 'acquired',
      token: TOKEN,
      attempt: 3,
      leaseRemainingMs: left,
      request: record.request,
      checkpoint: record.checkpoint,
      result: null,
    })
  })

  test.each([
    ['running', running],
    ['released, not due', released],
    ['running, by one microsecond', { ...running, leaseUntil: NOW + 1 }],
  ])('%s: in progress, with what is left rounded up and no bytes', (_, record) => {
    const outcome = begin(record)
    expect(outcome.record).toBe(record)
    expect(outcome.reply).toMatchObject({
      outcome: 'in_progress',
      leaseRemainingMs: Math.ceil((record.leaseUntil - NOW) / MS),
      request: null,
      checkpoint: null,
      result: null,
    })
  })

  test.each([
    ['lapsed', lapsed, true],
    ['lapsed and interrupted before', { ...lapsed, interrupted: true }, true],
    ['due', due, false],
    ['due, released unresolved', { ...due, interrupted: true }, true],
    ['due by its delay', { ...released, leaseUntil: NOW }, false],
  ])('%s: the next attempt, with fingerprint, request and checkpoint kept', (_, record, interrupted) => {
    const outcome = begin(record)
    expect(outcome.record).toEqual({
      ...record,
      state: 'in_progress',
      token: NOW,
      owner: 'new',
      attempt: 4,
      interrupted,
      leaseUntil: NOW + 30_000 * MS,
      expiresAt: NOW + 3_630_000 * MS,
    })
    expect(outcome.reply).toMatchObject({
      outcome: 'acquired',
      token: NOW,
      attempt: 4,
      interrupted,
      request: record.request,
      checkpoint: record.checkpoint,
    })
  })

  test('a takeover never shortens the retention', () => {
    expect(begin(lapsed, { leaseMs: 1, retentionMs: 1 }).record?.expiresAt).toBe(lapsed.expiresAt)
  })

  test('a token rises even when the clock does not', () => {
    expect(begin({ ...lapsed, token: NOW }).reply.token).toBe(NOW + 1)
    expect(begin({ ...completed, token: NOW + 7, expiresAt: NOW }).reply.token).toBe(NOW + 8)
  })
})

/** Each cell of the transition table. `ok`: applied; `○`: ok, not applied. */
const table = {
  in_progress: { renew: 'ok', completed: 'ok', failed: 'ok', released: 'ok', parked: 'ok', forgotten: 'ok' },
  released: { renew: 'lost', completed: 'lost', failed: 'lost', released: '○', parked: 'lost', forgotten: 'ok' },
  parked: { renew: 'lost', completed: 'ok', failed: 'ok', released: 'ok', parked: '○', forgotten: 'ok' },
  completed: { renew: 'lost', completed: '○', failed: 'lost', released: 'lost', parked: 'lost', forgotten: 'ok' },
  failed: { renew: 'lost', completed: 'lost', failed: '○', released: 'lost', parked: 'lost', forgotten: 'ok' },
  tombstone: { renew: 'lost', completed: 'lost', failed: 'lost', released: 'lost', parked: 'lost', forgotten: '○' },
} as const satisfies Record<StoredRecord['state'], Record<Change['to'], 'ok' | '○' | 'lost'>>

const changes: Record<Change['to'], Change> = {
  renew: { to: 'renew', leaseMs: 60_000 },
  completed: { to: 'completed', result: bytes('new result'), retentionMs: 1000 },
  failed: { to: 'failed', result: bytes('new failure'), retentionMs: 1000 },
  released: { to: 'released', delayMs: 5000, retentionMs: 1000 },
  parked: { to: 'parked', retentionMs: 1000 },
  forgotten: { to: 'forgotten', tombstoneMs: 60_000 },
}
const states: Record<StoredRecord['state'], StoredRecord> = {
  in_progress: running,
  released,
  parked,
  completed,
  failed,
  tombstone,
}
const cells = Object.entries(table).flatMap(([from, row]) =>
  Object.entries(row).map(
    ([to, answer]) => ({ from, to, answer }) as { from: StoredRecord['state']; to: Change['to']; answer: string },
  ),
)
const currentOf = (record: StoredRecord) => {
  const view = record.state === 'tombstone' ? null : get(record)
  return view && { ...view, request: null, checkpoint: null }
}

describe('transition', () => {
  test.each(cells)('$from → $to: $answer', ({ from, to, answer }) => {
    const before = states[from]
    const { record, reply } = transition(before, changes[to])
    switch (answer) {
      case 'ok':
        expect(reply).toEqual({ outcome: 'ok', applied: true })
        expect(record?.state).toBe(to === 'renew' ? 'in_progress' : to === 'forgotten' ? 'tombstone' : to)
        expect(record?.token).toBe(TOKEN)
        break
      case '○':
        expect(reply).toEqual({ outcome: 'ok', applied: false })
        expect(record).toBe(before)
        break
      default:
        expect(reply).toEqual({ outcome: 'lost', current: currentOf(before) })
        expect(record).toBe(before)
    }
  })

  test('`acceptedFrom` says the same as the table', () => {
    for (const { from, to, answer } of cells) {
      expect(acceptedFrom[to].includes(from as never)).toBe(answer === 'ok')
    }
  })

  test.each(cells)('$from → $to with another token: lost, and what stands there', ({ from, to }) => {
    const before = states[from]
    for (const token of [TOKEN - 1, TOKEN + 1, 0]) {
      const { record, reply } = transition(before, changes[to], token)
      expect(record).toBe(before)
      expect(reply).toEqual({ outcome: 'lost', current: currentOf(before) })
    }
  })

  test.each(cells)('$from → $to, expired: lost, and gone', ({ from, to }) => {
    const before = { ...states[from], expiresAt: NOW }
    const { record, reply } = transition(before, changes[to])
    expect(record).toBe(before)
    expect(reply).toEqual({ outcome: 'lost', current: null })
  })

  test.each(Object.values(changes))('no record → $to: lost, and gone', (change) => {
    expect(transition(null, change)).toEqual({ record: null, reply: { outcome: 'lost', current: null } })
  })

  test('a holder whose lease lapsed untaken may still write', () => {
    for (const change of Object.values(changes)) {
      expect(transition({ ...running, leaseUntil: 0 }, change).reply).toEqual({ outcome: 'ok', applied: true })
    }
  })

  describe('renew', () => {
    const renew = (change: Omit<Extract<Change, { to: 'renew' }>, 'to'>, record = running) =>
      transition(record, { to: 'renew', ...change })

    test('prolongs the lease, and what has to outlast it', () => {
      expect(renew({ leaseMs: 60_000 }).record).toEqual({ ...running, leaseUntil: NOW + 60_000 * MS })
      expect(renew({ leaseMs: 9_000_000 }).record).toMatchObject({
        leaseUntil: NOW + 9_000_000 * MS,
        expiresAt: NOW + 9_000_000 * MS,
      })
      expect(renew({ leaseMs: 60_000, retentionMs: 9_000_000 }).record).toMatchObject({
        expiresAt: NOW + 9_060_000 * MS,
      })
    })

    test('never shortens anything', () => {
      expect(renew({ leaseMs: 1, retentionMs: 1 }).record).toEqual(running)
    })

    test.each([
      [1, false],
      [2, false],
      [3, true],
    ])(
      'a checkpoint with seq %d, on one with seq 2: applied %s, and the lease is renewed all the same',
      (seq, applied) => {
        const checkpoint = { seq, data: bytes('a step') }
        const { record, reply } = renew({ leaseMs: 60_000, checkpoint })
        expect(reply).toEqual({ outcome: 'ok', applied })
        expect(record?.checkpoint).toBe(applied ? checkpoint : running.checkpoint)
        expect(record?.leaseUntil).toBe(NOW + 60_000 * MS)
      },
    )

    test('the first checkpoint may have any seq', () => {
      const checkpoint = { seq: 0, data: bytes('') }
      expect(renew({ leaseMs: 1, checkpoint }, { ...running, checkpoint: null }).record?.checkpoint).toBe(checkpoint)
    })
  })

  test.each(['completed', 'failed'] as const)('%s: state, result and retention; the checkpoint is gone', (to) => {
    for (const before of [running, parked]) {
      const result = bytes('new')
      expect(transition(before, { to, result, retentionMs: 1000 }).record).toEqual({
        ...before,
        state: to,
        result,
        checkpoint: null,
        expiresAt: NOW + 1000 * MS,
      })
    }
  })

  test('released: no owner, due after the delay, remembered past it', () => {
    const release = (change: Partial<Extract<Change, { to: 'released' }>>, before = running) =>
      transition(before, { to: 'released', delayMs: 0, retentionMs: 1000, ...change }).record
    const interrupted = { ...running, interrupted: true }
    expect(release({ delayMs: 5000 })).toEqual({ ...released, leaseUntil: NOW + 5000 * MS })
    expect(release({}, interrupted)).toEqual({ ...due })
    expect(release({ unresolved: true })).toEqual({ ...due, interrupted: true })
    expect(release({ unresolved: false }, interrupted)?.interrupted).toBe(false)
    expect(release({ delayMs: 3_600_000, retentionMs: 60_000 })?.expiresAt).toBe(NOW + 3_660_000 * MS)
    expect(release({}, parked)).toEqual(due)
  })

  test('parked: remembered for its retention', () => {
    expect(transition(running, { to: 'parked', retentionMs: 1000 }).record).toEqual({
      ...parked,
      expiresAt: NOW + 1000 * MS,
    })
  })

  test('forgotten: a tombstone with the token, and nothing else', () => {
    for (const before of Object.values(live)) {
      expect(transition(before, { to: 'forgotten', tombstoneMs: 60_000 }).record).toEqual(tombstone)
    }
  })
})

describe('get', () => {
  test.each(Object.entries(live))('%s: everything', (_, record) => {
    const leased = record.state === 'in_progress' || record.state === 'released'
    expect(get(record)).toEqual({
      state: record.state,
      token: TOKEN,
      fingerprint: 'f',
      attempt: 3,
      interrupted: false,
      leaseRemainingMs: leased ? Math.max(0, (record.leaseUntil - NOW) / MS) : 0,
      retentionRemainingMs: 3_620_000,
      request: record.request,
      checkpoint: record.checkpoint,
      result: record.result,
    })
  })

  test.each([null, tombstone, { ...completed, expiresAt: NOW }])('what is not live is null', (record) => {
    expect(get(record)).toBeNull()
  })

  test('one microsecond before its end it is still there', () => {
    expect(get({ ...completed, expiresAt: NOW + 1 })?.retentionRemainingMs).toBe(1)
  })
})

describe('isPurgeable', () => {
  test.each([
    ['grace over', { ...completed, expiresAt: NOW - 60_000 * MS }, true],
    ['grace not over', { ...completed, expiresAt: NOW - 60_000 * MS + 1 }, false],
    ['a tombstone, grace over', { ...tombstone, expiresAt: NOW - 60_000 * MS }, true],
    ['its token would be given out again', { ...completed, expiresAt: 0, token: NOW }, false],
    ['live', completed, false],
  ])('%s: %s', (_, record, expected) => {
    expect(isPurgeable(record, NOW, 60_000)).toBe(expected)
  })
})

test('nothing that it is given is changed', () => {
  const commands: Command[] = [
    { op: 'get' },
    { op: 'begin', claim },
    ...Object.values(changes).map((change): Command => ({ op: 'transition', token: TOKEN, change })),
  ]
  for (const record of Object.values(states)) {
    const frozen = Object.freeze({ ...record })
    for (const command of commands) reduce(frozen, command as never, NOW)
  }
})
