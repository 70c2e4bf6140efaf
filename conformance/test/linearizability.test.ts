import type { Command, StoredRecord } from '@retryproof/core/store'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkHistory, faulty, type HistoryEntry, recordHistory } from '../src/index.ts'
import type { Reply } from '../src/store/model/command.ts'
import { readable } from '../src/store/model/readable.ts'
import { contract, referenceStore } from './reference-store.ts'

const HOUR_MS = 3_600_000
const begin = (owner: string, leaseMs = HOUR_MS): Command => ({
  op: 'begin',
  claim: { owner, fingerprint: 'f', leaseMs, retentionMs: HOUR_MS },
})
const completed = (token: number, byte: number): Command => ({
  op: 'transition',
  token,
  change: { to: 'completed', result: new Uint8Array([byte]), retentionMs: HOUR_MS },
})
const get: Command = { op: 'get' }
const checkpoint = (seq: number): Command => ({
  op: 'transition',
  token: 1,
  change: { to: 'renew', leaseMs: HOUR_MS, checkpoint: { seq, data: new Uint8Array([seq]) } },
})

/** Histories are written as a drawing: one line for each client, `[` and `]` around its calls, `[?` for one without an answer. */
function history(...calls: [from: number, to: number | null, command: Command, reply: Reply][]): HistoryEntry[] {
  return calls.map(([called, returned, command, reply], client) => ({
    client,
    key: 'key',
    command,
    called,
    returned,
    reply,
    elapsedMs: 0,
  }))
}

function replies(...commands: Command[]): Reply[] {
  let record: StoredRecord | null = null
  return commands.map((command) => {
    const decided = contract(record, command, 0)
    record = decided.record
    return decided.reply
  })
}

describe('checkHistory', () => {
  const [first, second] = replies(begin('a'), begin('b')) as [Reply, Reply]
  const [, settled] = replies(begin('a'), completed(1, 7), begin('b'))

  test('accepts calls one after the other', () => {
    checkHistory(history([0, 1, begin('a'), first], [2, 3, begin('b'), second]))
  })

  test('accepts calls at once, in whichever order explains them', () => {
    checkHistory(history([0, 3, begin('b'), second], [1, 2, begin('a'), first]))
  })

  test('rejects an answer that comes before its cause', () => {
    expect(() => checkHistory(history([0, 1, begin('b'), second], [2, 3, begin('a'), first]))).toThrow('no order')
  })

  test('rejects two that acquire at once', () => {
    expect(() => checkHistory(history([0, 2, begin('a'), first], [1, 3, begin('b'), first]))).toThrow('no order')
  })

  test('rejects the same token for two attempts, and one that falls', () => {
    const taken = replies(begin('a', 0), begin('b', 0))[1] as Extract<Reply, { token: number }>
    const at = (token: number) =>
      history(
        [0, 1, begin('a', 0), { ...replies(begin('a', 0))[0], token: 50 } as Reply],
        [2, 3, begin('b', 0), { ...taken, token } as Reply],
      )
    checkHistory(at(51))
    expect(() => checkHistory(at(50))).toThrow('no order')
    expect(() => checkHistory(at(49))).toThrow('no order')
  })

  test('lets a call of unknown outcome take effect later, or never, but not twice', () => {
    const unknown: [number, null, Command, null] = [1, null, completed(1, 7), null]
    const replay = replies(begin('a'), completed(1, 7), begin('b'))[2] as Reply
    checkHistory(history([0, 1, begin('a'), first], unknown, [8, 9, begin('b'), replay]))
    checkHistory(history([0, 1, begin('a'), first], unknown, [8, 9, begin('b'), second]))
    const parked: Command = { op: 'transition', token: 1, change: { to: 'forgotten', tombstoneMs: 0 } }
    expect(() =>
      checkHistory(
        history(
          [0, 1, begin('a'), first],
          unknown,
          [2, 3, begin('b'), replay],
          [4, 5, parked, { outcome: 'ok', applied: true }],
          [6, 7, begin('b'), { ...(first as object), token: 2 } as Reply],
          [8, 9, begin('c'), replay],
        ),
      ),
    ).toThrow('no order')
  })

  test('rejects times that are not what is left', () => {
    const late = { ...(second as object), leaseRemainingMs: HOUR_MS + 1 } as Reply
    expect(() => checkHistory(history([0, 1, begin('a'), first], [2, 3, begin('b'), late]))).toThrow('no order')
    const early = { ...(second as object), leaseRemainingMs: HOUR_MS - 2_000 } as Reply
    expect(() => checkHistory(history([0, 1, begin('a'), first], [2, 3, begin('b'), early]))).toThrow('no order')
  })

  test('refuses durations that a clock could decide', () => {
    expect(() => checkHistory(history([0, 1, begin('a', 500), first]))).toThrow(RangeError)
  })

  test('looks at each key by itself', () => {
    const other = history([0, 1, begin('a'), first]).map((entry) => ({ ...entry, key: 'other' }))
    checkHistory([...history([0, 1, begin('a'), first]), ...other])
  })

  test('says what could be explained and what not', () => {
    expect(() => checkHistory(history([0, 1, begin('a'), first], [2, 3, get, settled ?? null]))).toThrow(
      /1 of 2 calls[\s\S]*client 0: begin[\s\S]*the record is/,
    )
  })

  test('lets a renewal that changes nothing where it fits first have come second', () => {
    const renew = (leaseMs: number, retentionMs: number): Command => ({
      op: 'transition',
      token: 1,
      change: { to: 'renew', leaseMs, retentionMs },
    })
    const [longer, remembered] = [renew(2 * HOUR_MS, 0), renew(HOUR_MS, HOUR_MS)]
    const seen = (...renewals: Command[]) => replies(begin('a'), ...renewals, get).at(-1) ?? null
    const two = (view: Reply) =>
      history(
        [0, 1, begin('a'), first],
        [2, 5, remembered, { outcome: 'ok', applied: true }],
        [3, 4, longer, { outcome: 'ok', applied: true }],
        [6, 7, get, view],
      )
    expect(seen(remembered)).toEqual(seen())
    expect(seen(longer, remembered)).not.toEqual(seen(remembered, longer))
    checkHistory(two(seen(longer, remembered)))
    checkHistory(two(seen(remembered, longer)))
    expect(() => checkHistory(two(seen()))).toThrow('no order')
  })

  test('finds the one order of 64 checkpoints at once, which are answered in another', () => {
    const commands = Array.from({ length: 64 }, (_, seq) => checkpoint(seq))
    const all = [begin('a'), ...commands, get]
    const answers = replies(...all)
    const calls = all.map((command, index): HistoryEntry => {
      const [called, returned] =
        index === 0 ? [0, 1] : command === get ? [400, 401] : [1 + index, 200 + ((index * 37) % 64)]
      return { client: index, key: 'key', command, called, returned, reply: answers[index] ?? null, elapsedMs: 0 }
    })
    checkHistory(calls)
    const fallen = calls.map((call) => (call.command === get ? { ...call, reply: answers[0] ?? null } : call))
    expect(() => checkHistory(fallen)).toThrow('no order')
  })

  test('tells calls apart that begin at one event', () => {
    const renew = {
      op: 'transition',
      token: 1,
      change: { to: 'renew', leaseMs: HOUR_MS, retentionMs: 2 * HOUR_MS },
    } as const
    const [acquired, , before, taken, after] = replies(begin('a'), renew, begin('a'), checkpoint(2), begin('a'))
    checkHistory(
      history(
        [0, 1, begin('a'), acquired ?? null],
        [2, null, renew, null],
        [11, 15, begin('a'), before ?? null],
        [11, 23, begin('a'), after ?? null],
        [15, 17, checkpoint(2), taken ?? null],
      ),
    )
  })

  test('agrees with a search through every order', () => {
    const command = fc.constantFrom<Command[]>(
      begin('a'),
      begin('b', 0),
      begin('c'),
      completed(1, 1),
      completed(2, 2),
      get,
      { op: 'transition', token: 1, change: { to: 'renew', leaseMs: 2 * HOUR_MS, retentionMs: 0 } },
      { op: 'transition', token: 1, change: { to: 'renew', leaseMs: HOUR_MS, retentionMs: 2 * HOUR_MS } },
      checkpoint(1),
      checkpoint(2),
      { op: 'transition', token: 1, change: { to: 'released', delayMs: 0, retentionMs: HOUR_MS } },
      { op: 'transition', token: 2, change: { to: 'forgotten', tombstoneMs: HOUR_MS } },
    )
    const drawn = fc
      .array(
        fc.record({ command, place: fc.nat({ max: 20 }), length: fc.nat({ max: 12 }), fate: fc.nat({ max: 9 }) }),
        {
          minLength: 2,
          maxLength: 6,
        },
      )
      .map((calls) => {
        // the answers are those of one order, in which each call takes effect somewhere near its place …
        const ordered = calls.toSorted((a, b) => a.place - b.place)
        const answers = replies(...ordered.map((call) => call.command))
        const entries = ordered.map(({ command, place, length, fate }, client): HistoryEntry => {
          // … but some are given to the wrong call, or to nobody
          const reply = (fate === 0 ? answers[0] : answers[client]) ?? null
          const called = place * 2 - length
          return {
            client,
            key: 'key',
            command,
            called,
            returned: fate === 1 ? null : place * 2 + 1,
            reply,
            elapsedMs: 0,
          }
        })
        return knowing(entries)
      })
    let accepted = 0
    let rejected = 0
    fc.assert(
      fc.property(drawn, (entries) => {
        const expected = explainable(entries, null)
        if (expected) accepted++
        else rejected++
        if (expected) checkHistory(entries)
        else expect(() => checkHistory(entries)).toThrow('no order')
      }),
      { numRuns: 3_000 },
    )
    expect(accepted).toBeGreaterThan(200)
    expect(rejected).toBeGreaterThan(200)
  })
})

/** Without the calls that use a token before a reply has shown it. */
function knowing(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const kept: HistoryEntry[] = []
  for (const entry of entries.toSorted((a, b) => a.called - b.called)) {
    const { command, called } = entry
    const shown = kept.some(
      ({ returned, reply }) =>
        command.op === 'transition' && returned !== null && returned < called && tokenIn(reply) === command.token,
    )
    if (command.op !== 'transition' || shown) kept.push(entry)
  }
  return kept
}

/** Tries every order, without remembering anything. `names`: the real token of each of the model's, as far as shown. */
function explainable(
  remaining: readonly HistoryEntry[],
  record: StoredRecord | null,
  names = new Map<number, number>(),
): boolean {
  if (remaining.every((entry) => entry.returned === null)) return true
  const firstReturn = Math.min(...remaining.map((entry) => entry.returned ?? Number.POSITIVE_INFINITY))
  return remaining.some((entry) => {
    if (entry.called > firstReturn) return false
    const named = [...names].find(([, real]) => entry.command.op === 'transition' && real === entry.command.token)
    const command = { ...entry.command, token: named?.[0] ?? -1 }
    const { record: after, reply } = contract(record, command, 0)
    const rest = remaining.filter((other) => other !== entry)
    if (entry.returned === null) return explainable(rest, after, names)
    const [own, real] = [tokenIn(reply), tokenIn(entry.reply)]
    const withToken = (other: Reply) => JSON.stringify(readable(other)).replace(/"token":\d+/, '')
    if (withToken(reply) !== withToken(entry.reply)) return false
    if (own === undefined || real === undefined) return explainable(rest, after, names)
    const next = new Map(names).set(own, real)
    const rises = [...next].every(([a, realA]) => [...next].every(([b, realB]) => a < b === realA < realB))
    return (names.get(own) ?? real) === real && rises && explainable(rest, after, next)
  })
}

function tokenIn(reply: Reply): number | undefined {
  if (reply && 'current' in reply) return reply.current?.token
  return reply && 'token' in reply ? reply.token : undefined
}

describe('recordHistory', () => {
  const claim = { owner: 'a', fingerprint: 'f', leaseMs: HOUR_MS, retentionMs: HOUR_MS }

  test('records who called what, in which order, and what was answered', async () => {
    const { stores, history } = recordHistory([referenceStore(), referenceStore()])
    await Promise.all(stores.map((store) => store.begin('key', claim)))
    expect(history.map(({ client, called, returned }) => [client, called, returned])).toEqual([
      [0, 0, 2],
      [1, 1, 3],
    ])
    expect(history[0]?.reply).toMatchObject({ outcome: 'acquired' })
  })

  test('leaves out what was not applied, and keeps open what may have been', async () => {
    const { stores, history } = recordHistory([faulty(referenceStore(), ['refuse', 'lose reply', null])])
    for (const _ of ['refused', 'lost', 'answered']) await stores[0]?.begin('key', claim).catch(() => {})
    expect(history.map(({ called, returned }) => [called, returned])).toEqual([
      [1, null],
      [2, 3],
    ])
    checkHistory(history)
  })
})
