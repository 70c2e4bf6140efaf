import type { IdempotencyStore } from '@retryproof/core'
import type { Change } from '@retryproof/core/store'
import type { Check, Clause } from '../../check.ts'
import { warmUp, withStores } from '../../harness.ts'
import { recordHistory } from '../../model/history.ts'
import { checkHistory } from '../../model/linearizability.ts'
import { freshKey } from '../../tools/keys.ts'
import { settings } from '../../tools/settings.ts'

const HOUR_MS = 3_600_000
const CLIENTS = 4

/** A race as its clients see it: `key` has a record as `prepare` left it, and `call` is in flight many times at once. */
interface Race {
  readonly id: string
  readonly title: string
  readonly clauses: readonly Clause[]
  /** The most calls in flight, each of which changes the record. @default all connections */
  readonly atMost?: number
  /** Brings the record to where the race begins, and gives its token. */
  prepare(store: IdempotencyStore<unknown>, key: string): Promise<number>
  call(store: IdempotencyStore<unknown>, key: string, token: number, index: number): Promise<unknown>
}

const races: readonly Race[] = [
  {
    id: 'C1-first-arrival',
    title: 'of many first calls at once one acquires',
    clauses: ['C1'],
    prepare: async () => 0,
    call: (store, key, _, index) => begin(store, key, index),
  },
  {
    id: 'C1-takeover',
    title: 'of many calls that find a lapsed lease one takes over',
    clauses: ['C1', 'C12', 'C23'],
    prepare: (store, key) => acquire(store, key, { leaseMs: 0 }),
    call: (store, key, _, index) => begin(store, key, index),
  },
  {
    id: 'C1-expiry',
    title: 'of many calls that find an expired record one begins anew',
    clauses: ['C1', 'C5'],
    prepare: (store, key) => acquire(store, key, { leaseMs: 0, retentionMs: 0 }),
    call: (store, key, _, index) => begin(store, key, index),
  },
  {
    id: 'C1-lapsing',
    title:
      'many calls whose leases are over at once acquire one after the other: none judges by a clock of before it waited',
    clauses: ['C1', 'C2', 'C12', 'C23'],
    atMost: 8,
    prepare: (store, key) => acquire(store, key, { leaseMs: 0 }),
    call: (store, key, _, index) => acquire(store, key, { owner: `racer ${index}`, leaseMs: 0 }),
  },
  {
    id: 'C5-race',
    title: 'a record that expires while calls wait for it is absent to them',
    clauses: ['C5'],
    prepare: acquire,
    call: (store, key, token, index) => {
      const retentionMs = 0
      const parks = index % 2 === 0
      return store.transition(key, token, parks ? { to: 'parked', retentionMs } : { ...completed(index), retentionMs })
    },
  },
  {
    id: 'C1-release',
    title: 'of many calls during a release one acquires, and the releasing token is gone',
    clauses: ['C1', 'C13'],
    prepare: acquire,
    call: (store, key, token, index) =>
      index % 4 === 0
        ? store.transition(key, token, { to: 'released', delayMs: 0, retentionMs: HOUR_MS })
        : begin(store, key, index),
  },
  {
    id: 'C4-settle',
    title: 'a result settles once while others begin',
    clauses: ['C4', 'C7'],
    prepare: acquire,
    call: (store, key, token, index) =>
      index === 0 ? store.transition(key, token, completed(index)) : begin(store, key, index),
  },
  {
    id: 'C4-replay',
    title: 'many replays at once give the same result',
    clauses: ['C4', 'C7'],
    prepare: async (store, key) => {
      const token = await acquire(store, key)
      await store.transition(key, token, completed(0))
      return token
    },
    call: (store, key, _, index) => begin(store, key, index),
  },
  {
    id: 'C3-zombies',
    title: 'one settles against many writes with older tokens',
    clauses: ['C3'],
    prepare: async (store, key) => {
      await acquire(store, key, { leaseMs: 0 })
      return acquire(store, key, { owner: 'second' })
    },
    call: (store, key, token, index) =>
      store.transition(key, index === 0 ? token : token - 1, index % 3 === 2 ? renewed(index) : completed(index)),
  },
  {
    id: 'C3-takeover',
    title: 'a holder that writes during a takeover either writes before it or has lost',
    clauses: ['C1', 'C3', 'C10'],
    prepare: (store, key) => acquire(store, key, { leaseMs: 0 }),
    call: (store, key, token, index) =>
      index % 4 === 0 ? store.transition(key, token, completed(index)) : begin(store, key, index),
  },
  {
    id: 'C6-mismatch',
    title: 'many mismatches at once change nothing',
    clauses: ['C6'],
    prepare: acquire,
    call: (store, key, token, index) =>
      index % 4 === 3
        ? store.transition(key, token, renewed(index))
        : store.begin(key, { owner: `racer ${index}`, fingerprint: 'other', leaseMs: HOUR_MS, retentionMs: HOUR_MS }),
  },
  {
    id: 'C8-race',
    title: 'one begin that is sent many times at once acquires once',
    clauses: ['C8'],
    prepare: async () => 0,
    call: (store, key) => begin(store, key, 0),
  },
  {
    id: 'C9-race',
    title: 'of many results at once for one token the first stands',
    clauses: ['C9', 'C4'],
    prepare: acquire,
    call: (store, key, token, index) => store.transition(key, token, completed(index)),
  },
  {
    id: 'C15-race',
    title: 'of many checkpoints at once the highest stands',
    clauses: ['C15'],
    prepare: acquire,
    call: (store, key, token, index) => store.transition(key, token, renewed(index)),
  },
]

/** Each race is judged by the answers: one order of the calls must explain them. */
export const raceChecks: readonly Check[] = races.map(
  ({ id, title, clauses, atMost = Number.POSITIVE_INFINITY, prepare, call }) => ({
    id,
    title,
    clauses,
    needs: [],
    run: (harness) =>
      withStores(harness, CLIENTS, {}, async (stores) => {
        await warmUp(stores, settings.connections)
        for (let round = 0; round < settings.rounds; round++) {
          const key = freshKey('race')
          const recorded = recordHistory(stores)
          const store = (index: number) => recorded.stores[index % CLIENTS] as IdempotencyStore<unknown>
          const token = await prepare(store(0), key)
          const length = Math.min(atMost, settings.connections)
          const calls = Array.from({ length }, (_, index) => call(store(index), key, token, index))
          await Promise.all(calls)
          await store(1).get(key)
          checkHistory(recorded.history)
        }
      }),
  }),
)

async function acquire(
  store: IdempotencyStore<unknown>,
  key: string,
  { owner = 'first', leaseMs = HOUR_MS, retentionMs = HOUR_MS } = {},
): Promise<number> {
  const { token } = await store.begin(key, { owner, fingerprint: 'one', leaseMs, retentionMs })
  return token
}

function begin(store: IdempotencyStore<unknown>, key: string, index: number): Promise<unknown> {
  return store.begin(key, { owner: `racer ${index}`, fingerprint: 'one', leaseMs: HOUR_MS, retentionMs: HOUR_MS })
}

function completed(index: number) {
  return { to: 'completed' as const, result: new Uint8Array([index]), retentionMs: HOUR_MS }
}

/** Checkpoints that are not in the order in which they are sent. */
function renewed(index: number): Change {
  return { to: 'renew', leaseMs: HOUR_MS, checkpoint: { seq: index ^ 5, data: new Uint8Array([index]) } }
}
