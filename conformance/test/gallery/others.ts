import { StoreUnavailableError } from '@retryproof/core'
import { countRecords, isPurgeable, type ListedRecord, type StoredRecord } from '@retryproof/core/store'
import type { StoreHarness } from '../../src/store/harness.ts'
import { type ReferenceOptions, referenceStore } from '../reference-store.ts'
import { type BrokenStore, opens, wraps } from './broken.ts'

const us = 1000

/** A store whose purge removes what `old` says. */
function purging(
  name: string,
  rejectedBy: string,
  old: (record: StoredRecord, now: number, graceMs: number) => boolean,
  count = (removed: number, _limit: number) => removed,
): BrokenStore {
  return opens(name, rejectedBy, (options) => {
    const records = new Map<string, StoredRecord>()
    const now = options.now ?? (() => performance.timeOrigin + performance.now())
    return {
      ...referenceStore({ records, now }),
      async purge({ limit, graceMs = 60_000 }) {
        const gone = [...records].filter(([, record]) => old(record, Math.round(now() * us), graceMs)).slice(0, limit)
        for (const [key] of gone) records.delete(key)
        return count(gone.length, limit)
      },
    }
  })
}

/** A store whose backend cannot be reached, and that takes it so. */
function unreachable(name: string, call: () => Promise<never>): BrokenStore {
  return {
    name,
    rejectedBy: 'C24',
    harness: () => ({
      open: referenceStore,
      unreachable: () => ({ ...referenceStore(), begin: call, transition: call, get: call, purge: call }),
    }),
  }
}

function harnessed(
  name: string,
  rejectedBy: string,
  harness: () => StoreHarness<Map<string, StoredRecord>>,
): BrokenStore {
  return { name, rejectedBy, harness }
}

const clientClock: ReferenceOptions = { now: () => Date.now(), capabilities: { clock: 'store' } }

/** Wrong about clocks, purges, failures, listings, watchers, transactions, or about themselves. */
export const others = [
  wraps('expiry is decided by the clock of the client', 'C21', () => ({}), clientClock),
  wraps('the clock is read when the store is opened', 'harness', (store, { now }) => {
    const at = now?.() ?? Date.now()
    return { ...store, ...referenceStore({ now: () => at }) }
  }),
  opens('an injected clock is ignored', 'harness', () => referenceStore()),
  purging('a purge ignores its grace', 'C17-grace', (record, now) => isPurgeable(record, now, 0)),
  purging('a purge removes lapsed leases', 'C17-live', (record, now) => record.leaseUntil <= now),
  purging(
    'a purge removes tombstones',
    'C17-live',
    (record, now, graceMs) => record.state === 'tombstone' || isPurgeable(record, now, graceMs),
  ),
  purging(
    'a purge removes one millisecond early',
    'C17-grace',
    (record, now, graceMs) => isPurgeable(record, now + us, graceMs) && record.token < now,
  ),
  purging(
    'a purge in the instant of a begin',
    'C17-instant',
    (record, now, graceMs) => record.expiresAt + graceMs * us <= now,
  ),
  purging('a purge says one more', 'C17-limit', isPurgeable, (removed) => removed + 1),
  purging('a purge removes nothing', 'C17-limit', () => false),
  wraps('a purge ignores its limit', 'C17-limit', (store) => ({
    purge: async (options) => (await store.purge?.({ ...options, limit: 1_000 })) ?? 0,
  })),
  unreachable('a failure counts as in progress', async () => ({ outcome: 'in_progress' }) as never),
  unreachable('a failure counts as no record', async () => null as never),
  unreachable('the error of the driver is thrown as it is', async () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  }),
  unreachable('nobody says whether the change was applied', async () => {
    throw new StoreUnavailableError('down', {} as never)
  }),
  wraps('a listing shows what has expired', 'list', (store) => ({
    list: (query) => store.list?.({ ...query, expired: true }) ?? none(),
  })),
  wraps('a listing compares half of a name', 'list', (store) => ({
    async *list({ operation, ...query }) {
      for await (const record of store.list?.(query) ?? none()) {
        if (record.key.split('.')[1]?.startsWith(operation ?? '')) yield record
      }
    },
  })),
  wraps('a listing begins every page at the first record', 'list', (store) => ({
    list: ({ after: _, ...query }) => store.list?.(query) ?? none(),
  })),
  wraps('a listing is in no order', 'list', (store) => ({
    async *list({ limit = 100, ...query }) {
      const found: ListedRecord[] = []
      for await (const record of store.list?.(query) ?? none()) found.push(record)
      yield* found.reverse().slice(0, limit)
    },
  })),
  wraps('a count includes what has expired', 'count', (store) => ({
    count: ({ namespace = '' }) => countRecords(store.list?.({ namespace, expired: true }) ?? none()),
  })),
  wraps('a count is of all namespaces', 'count', (store) => ({
    count: () => countRecords(store.list?.({}) ?? none()),
  })),
  wraps('a listing ignores its limit', 'list', (store) => ({
    list: ({ limit: _, ...query }) => store.list?.(query) ?? none(),
  })),
  wraps('a listing counts settled records as stuck', 'list', (store) => ({
    async *list({ stuckForMs, ...query }) {
      for await (const record of store.list?.(query) ?? none()) {
        if (stuckForMs === undefined || record.leaseRemainingMs === 0) yield record
      }
    },
  })),
  wraps('a watcher is never called', 'watch', () => ({ watch: async () => {} })),
  wraps('a watcher cannot be stopped', 'watch', (store) => ({
    watch: async (key, onChange) => store.watch?.(key, onChange, new AbortController().signal),
  })),
  wraps('a transaction that throws is kept', 'C22-rollback', (store) => {
    const records = new Map<string, StoredRecord>()
    return {
      ...referenceStore({ records }),
      bind: (tx) => store.bind?.(tx) as never,
      transaction: async (work) => work(records),
    }
  }),
  wraps('bound calls are made outside of the transaction', 'C22-rollback', (store) => {
    const records = new Map<string, StoredRecord>()
    const outside = referenceStore({ records })
    return { ...outside, bind: () => outside.bind?.(records) ?? (store.bind?.(records) as never) }
  }),
  wraps('a commit is lost', 'C22-commit', () => ({ transaction: async (work) => work(new Map()) })),
  wraps('a zombie settles inside its transaction', 'C22-fenced', (store) => ({
    bind: (tx) => {
      const bound = store.bind?.(tx)
      if (!bound) throw new Error('not transactional')
      return {
        ...bound,
        transition: (key, _, change) => bound.transition(key, tx.get(key)?.token ?? 0, change),
      }
    },
  })),
  harnessed('each client has records of its own', 'harness', () => ({
    open: (options) => referenceStore({ ...options, capabilities: { shared: 'network' } }),
  })),
  wraps('a capability that does not exist', 'harness', (store) => ({
    capabilities: { ...store.capabilities, clock: 'sundial' as never },
  })),
  wraps('transactional without bind', 'harness', (store) => ({ ...store, bind: undefined as never })),
]

async function* none(): AsyncGenerator<never> {}
