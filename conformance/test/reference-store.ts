import {
  type BoundStore,
  type Command,
  type IdempotencyStore,
  isPurgeable,
  type ListQuery,
  reduce,
  type StoreCapabilities,
  type StoredRecord,
  StoreUnavailableError,
} from '@retryproof/core'
import type { Reply } from '../src/command.ts'

/** What a command does to a record, and answers. */
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
    assertSizes(command, maxValueBytes)
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
    async *list(query) {
      yield* listed(records, query, us())
    },
    async watch(key, onChange, signal) {
      const watcher = (changed: string) => changed === key && onChange()
      watchers.add(watcher)
      signal.addEventListener('abort', () => watchers.delete(watcher))
    },
    bind,
    async transaction(work) {
      const draft = new Map(records)
      const value = await work(draft)
      for (const [key, record] of draft) records.set(key, record)
      return value
    },
  }
}

export function assertSizes(command: Command, maxValueBytes: number): void {
  const values =
    command.op === 'begin'
      ? [command.claim.request]
      : command.op === 'transition'
        ? [
            'result' in command.change ? command.change.result : undefined,
            'checkpoint' in command.change ? command.change.checkpoint?.data : undefined,
          ]
        : []
  if (values.some((value) => value && value.byteLength > maxValueBytes)) {
    throw new StoreUnavailableError(`A value is larger than ${maxValueBytes} bytes.`, { applied: 'no' })
  }
}

function* listed(records: Map<string, StoredRecord>, query: ListQuery, now: number) {
  const { namespace, operation, state: wanted, stuckForMs, expired = false, limit = Number.POSITIVE_INFINITY } = query
  let count = 0
  for (const [key, { state, token, attempt, interrupted, leaseUntil, expiresAt }] of records) {
    const [ownNamespace, ownOperation] = key.split('.')
    const leased = state === 'in_progress' || state === 'released'
    if (state === 'tombstone' || (expiresAt <= now && !expired) || count >= limit) continue
    if (namespace !== undefined && namespace !== ownNamespace) continue
    if (operation !== undefined && operation !== ownOperation) continue
    if (wanted !== undefined && wanted !== state) continue
    if (stuckForMs !== undefined && !(leased && leaseUntil + stuckForMs * 1000 <= now)) continue
    count++
    yield {
      key,
      state,
      token,
      attempt,
      interrupted,
      leaseRemainingMs: leased ? Math.max(0, Math.ceil((leaseUntil - now) / 1000)) : 0,
      retentionRemainingMs: Math.ceil((expiresAt - now) / 1000),
    }
  }
}
