import { IdempotencyInvalidOptionError, type IdempotencyStore, type StoreCapabilities } from '@retryproof/core'
import {
  assertValueFits,
  type BoundStore,
  type Command,
  countRecords,
  isPurgeable,
  type ListedRecord,
  type ListQuery,
  reduce,
  type StoredRecord,
  toListedRecord,
} from '@retryproof/core/store'
import type { Reply } from '../src/store/model/command.ts'

/** The effect of a command on a record, and its reply. */
export type Decide = (
  record: StoredRecord | null,
  command: Command,
  now: number,
) => { record: StoredRecord | null; reply: Reply }

export interface ReferenceOptions {
  now?: () => number
  records?: Map<string, StoredRecord>
  watchers?: Set<(key: string) => void>
  capabilities?: Partial<StoreCapabilities>
  /** The contract. Broken stores replace it. */
  decide?: Decide
}

export const contract: Decide = (record, command, now) => {
  if (command.op === 'begin') return reduce(record, command, now)
  if (command.op === 'transition') return reduce(record, command, now)
  return reduce(record, command, now)
}

/** The contract itself as a store that has every capability: a `Map`, `reduce`, and copies of everything. */
export function referenceStore({
  now = () => performance.timeOrigin + performance.now(),
  records = new Map(),
  watchers = new Set(),
  capabilities = {},
  decide = contract,
}: ReferenceOptions = {}): IdempotencyStore<Map<string, StoredRecord>> {
  const us = () => Math.round(now() * 1000)
  const maxValueBytes = capabilities.maxValueBytes ?? 4 * 1024 * 1024

  function apply(target: Map<string, StoredRecord>, key: string, command: Command): Reply {
    if (command.op === 'begin') assertValueFits(maxValueBytes, command.claim)
    if (command.op === 'transition') assertValueFits(maxValueBytes, command.change)
    const { record, reply } = decide(target.get(key) ?? null, structuredClone(command), us())
    if (record) target.set(key, record)
    return structuredClone(reply)
  }

  function bind(target: Map<string, StoredRecord>): BoundStore {
    return {
      begin: (key, claim) => apply(target, key, { op: 'begin', claim }) as never,
      transition: (key, token, change) => apply(target, key, { op: 'transition', token, change }) as never,
      get: (key) => apply(target, key, { op: 'get' }) as never,
    }
  }

  async function* list(query: ListQuery): AsyncGenerator<ListedRecord> {
    const now = us()
    let left = query.limit ?? Number.POSITIVE_INFINITY
    for (const key of [...records.keys()].sort()) {
      const record = records.get(key)
      const shown = record && toListedRecord(key, record, query, now)
      if (shown && left-- > 0) yield shown
    }
  }

  const bound = bind(records)
  return {
    capabilities: {
      clock: 'host',
      durable: false,
      shared: 'process',
      transactional: 'sync',
      ...capabilities,
      maxValueBytes,
    },
    begin: async (key, claim) => bound.begin(key, claim),
    async transition(key, token, change) {
      const reply = bound.transition(key, token, change)
      for (const watcher of watchers) watcher(key)
      return reply
    },
    get: async (key) => bound.get(key),
    async purge({ limit, graceMs = 60_000 }) {
      const at = us()
      const old = [...records].filter(([, record]) => isPurgeable(record, at, graceMs)).slice(0, limit)
      for (const [key] of old) records.delete(key)
      return old.length
    },
    list,
    count: (query) => countRecords(list(query)),
    async watch(key, onChange, signal) {
      const watcher = (changed: string) => changed === key && onChange()
      watchers.add(watcher)
      signal.addEventListener('abort', () => watchers.delete(watcher))
    },
    bind,
    async transaction(work) {
      const draft = new Map(records)
      // nobody else's call comes between: else two transactions could both begin a key that was free
      const value = work(draft)
      if (value instanceof Promise) throw new IdempotencyInvalidOptionError('work', 'must not be async')
      for (const [key, record] of draft) records.set(key, record)
      return value
    },
  }
}
