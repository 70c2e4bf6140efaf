import type { Command, StoredRecord } from '@retryproof/core/store'
import { send } from '../../src/store/model/command.ts'
import { contract, type Decide, referenceStore } from '../reference-store.ts'
import { acquired, type BrokenStore, decides, goesOn, isLive, opens, outcome, wraps } from './broken.ts'

type Torn = (command: Command, record: StoredRecord | null, now: number) => boolean

/** A store that reads, waits and writes where `torn` says so: between the two, others may write. */
function tearing(name: string, rejectedBy: string, torn: Torn): BrokenStore {
  return opens(name, rejectedBy, ({ now = () => performance.timeOrigin + performance.now() }) => {
    const records = new Map<string, StoredRecord>()
    const call = async (key: string, command: Command) => {
      const us = Math.round(now() * 1000)
      const before = records.get(key) ?? null
      const { record, reply } = contract(before, structuredClone(command), us)
      if (torn(command, before, us)) await tick()
      if (record) records.set(key, record)
      return structuredClone(reply) as never
    }
    return {
      ...referenceStore({ records, now }),
      begin: (key, claim) => call(key, { op: 'begin', claim }),
      transition: (key, token, change) => call(key, { op: 'transition', token, change }),
      get: (key) => call(key, { op: 'get' }),
    }
  })
}

/** A store whose calls may have to wait for the record, and that judge it by the clock of before. */
function waiting(name: string, rejectedBy: string, waits: (command: Command) => boolean): BrokenStore {
  return opens(name, rejectedBy, ({ now = () => performance.timeOrigin + performance.now() }) => {
    const records = new Map<string, StoredRecord>()
    let calls = 0
    const call = async (key: string, command: Command) => {
      const at = now()
      if (waits(command) && calls++ % 2 === 0) await tick()
      return (await send(referenceStore({ records, now: () => at }), key, command)) as never
    }
    return {
      ...referenceStore({ records, now }),
      begin: (key, claim) => call(key, { op: 'begin', claim }),
      transition: (key, token, change) => call(key, { op: 'transition', token, change }),
      get: (key) => call(key, { op: 'get' }),
    }
  })
}

const tick = () => new Promise((resolve) => setImmediate(resolve))

const settles = (command: Command) =>
  command.op === 'transition' && (command.change.to === 'completed' || command.change.to === 'failed')

/** Stores that no sequence can tell from a good one. */
export const races = [
  tearing('reads, then writes', 'C1-first-arrival', () => true),
  tearing(
    'a first begin is read, then written',
    'C1-first-arrival',
    (command, record) => command.op === 'begin' && !record,
  ),
  tearing(
    'a takeover is read, then written',
    'C1-takeover',
    (command, record, now) => command.op === 'begin' && goesOn(record, command.claim, now),
  ),
  tearing(
    'what has expired is read, then written',
    'C1-expiry',
    (command, record, now) => command.op === 'begin' && record !== null && !isLive(record, now),
  ),
  tearing(
    'a repeated begin is read, then written',
    'C8-race',
    (command, record) => command.op === 'begin' && record === null,
  ),
  tearing('results are read, then written', 'C9-race', settles),
  tearing(
    'renewals are read, then written',
    'C15-race',
    (command) => command.op === 'transition' && command.change.to === 'renew',
  ),
  tearing(
    'releases are read, then written',
    'C1-release',
    (command) => command.op === 'transition' && command.change.to === 'released',
  ),
  tearing(
    'a late write is read, then written',
    'C3-takeover',
    (command, record, now) =>
      command.op === 'transition' && record?.state === 'in_progress' && record.leaseUntil <= now,
  ),
  tearing(
    'forgets are read, then written',
    'C18',
    (command) => command.op === 'transition' && command.change.to === 'forgotten',
  ),
  tearing(
    'parks are read, then written',
    'C18',
    (command) => command.op === 'transition' && command.change.to === 'parked',
  ),
  wraps('writes first, then reads what it answers', 'C18', (store) => ({
    async begin(key, claim) {
      const reply = await store.begin(key, claim)
      await tick()
      const view = await store.get(key)
      return view && reply.outcome === 'in_progress'
        ? { ...view, outcome: reply.outcome, request: null, checkpoint: null, result: null }
        : reply
    },
  })),
  wraps('get answers from a cache of what was seen last', 'C18', (store) => {
    const cache = new Map<string, Awaited<ReturnType<typeof store.get>>>()
    return {
      async get(key) {
        const cached = cache.get(key)
        const view = await store.get(key)
        cache.set(key, view)
        return cached ?? view
      },
    }
  }),
  wraps('a begin that loses its reply is not found again', 'C18-lost-replies', (store) => {
    const begun = new Set<string>()
    return {
      async begin(key, claim) {
        const again = begun.has(key + claim.owner)
        begun.add(key + claim.owner)
        return store.begin(key, again ? { ...claim, owner: `${claim.owner}, again` } : claim)
      },
    }
  }),
  waiting('the clock is read before the wait for the record', 'C18', () => true),
  waiting('a begin judges by the clock of before it waited', 'C1-lapsing', (command) => command.op === 'begin'),
  waiting('a transition judges by the clock of before it waited', 'C5-race', (command) => command.op === 'transition'),
  decides(
    'who acquires while another one settles is not told',
    'C4-settle',
    alternating((record, command, now) => {
      const decided = contract(record, command, now)
      return outcome(decided.reply) === 'settled'
        ? { record, reply: { ...decided.reply, outcome: 'in_progress', state: 'in_progress', result: null } as never }
        : decided
    }),
  ),
  decides('of many checkpoints at once the last stands', 'C15-race', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    if (command.op !== 'transition' || command.change.to !== 'renew' || !kept || outcome(reply) !== 'ok')
      return { record: kept, reply }
    return { record: { ...kept, checkpoint: command.change.checkpoint ?? kept.checkpoint }, reply }
  }),
  decides('a lapsed lease is acquired by everybody at that instant', 'C1-takeover', (record, command, now) => {
    const decided = contract(record, command, now)
    return acquired(decided.reply) && record && isLive(record, now) && decided.record
      ? { ...decided, record: { ...decided.record, leaseUntil: now } }
      : decided
  }),
]

/** Decides so every second time. */
function alternating(decide: Decide): Decide {
  let calls = 0
  return (record, command, now) => (calls++ % 2 === 0 ? contract : decide)(record, command, now)
}
