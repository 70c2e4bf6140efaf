import {
  answered,
  assertKnownOptions,
  assertValueFits,
  type BeginReply,
  type Change,
  type Checkpoint,
  type Claim,
  IdempotencyInvalidOptionError,
  isPurgeable,
  listUnsorted,
  PURGE_GRACE_MS,
  type RecordStore,
  type RecordView,
  type Reduced,
  reduce,
  type SeenRecord,
  type StoredRecord,
  StoreUnavailableError,
  toUs,
} from '@retryproof/core/store'

export interface MemoryStoreOptions {
  /** Bounds the number of records. A new key beyond them is refused. @default 100_000 */
  readonly maxRecords?: number
  /** Replaces the clock (milliseconds, never going back), for tests. @default a monotonic clock */
  readonly now?: (() => number) | undefined
}

/** A store with everything but transactions. */
export type MemoryStore = RecordStore & Required<Pick<RecordStore, 'purge' | 'list' | 'watch'>>

const MAX_VALUE_BYTES = 16 * 1024 * 1024
/** Below this number of records no expired ones are looked for. */
const SMALL = 1024

/**
 * Keeps records in the memory of this process: for tests, and for a service that is one process and may forget at a restart.
 *
 * @example
 * import { memoryStore } from '@retryproof/memory'
 *
 * const store = memoryStore({ maxRecords: 10_000 })
 *
 * @throws {@link IdempotencyInvalidOptionError} when `maxRecords` is no whole number of at least 1
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  assertKnownOptions(options, { maxRecords: true, now: true })
  const { maxRecords = 100_000, now = monotonicMs } = options
  if (!Number.isSafeInteger(maxRecords) || maxRecords < 1) {
    throw new IdempotencyInvalidOptionError(
      'maxRecords',
      `must be a whole number of at least 1, got ${String(maxRecords)}`,
    )
  }
  const records = new Map<string, StoredRecord>()
  /** Released without having done anything: the next call runs again, whether or not the record is there. */
  const idle = new Set<string>()
  const watchers = new Map<string, Set<() => void>>()
  const clock = () => toUs(now())
  let sweepAt = SMALL
  /** No record expires before this. */
  let firstExpiry = Number.POSITIVE_INFINITY

  /** Applies a command to the record of a key, as one step. */
  function apply<Reply>(key: string, reduced: (record: StoredRecord | null, at: number) => Reduced<Reply>): Reply {
    const previous = records.get(key) ?? null
    const at = clock()
    const { record, reply } = reduced(previous, at)
    if (record !== null && record !== previous) keep(key, record, previous, at)
    return reply
  }

  function keep(key: string, record: StoredRecord, previous: StoredRecord | null, at: number): void {
    if (previous === null) makeRoom(at)
    records.set(key, isOver(record) ? { ...record, owner: '' } : record)
    if (isIdle(record)) idle.add(key)
    else if (idle.size > 0) idle.delete(key)
    firstExpiry = Math.min(firstExpiry, record.expiresAt)
    const listeners = watchers.get(key)
    if (listeners) for (const onChange of listeners) queueMicrotask(onChange)
  }

  /** Removes expired records once the map has doubled, so that each new record pays a share of the cost. */
  function makeRoom(at: number): void {
    if (records.size >= Math.min(sweepAt, maxRecords) && firstExpiry <= at) {
      removeExpired(at, { limit: records.size, graceMs: 0 })
      sweepAt = Math.max(SMALL, 2 * records.size)
      firstExpiry = Number.POSITIVE_INFINITY
      for (const { expiresAt } of records.values()) firstExpiry = Math.min(firstExpiry, expiresAt)
    }
    if (records.size < maxRecords || evictIdle(at)) return
    throw new StoreUnavailableError(
      `The memory store is full: it holds ${maxRecords} records (maxRecords), and none of them has expired. ` +
        'To evict one would let its operation run twice. Raise maxRecords, shorten the retention, or use a database.',
      { applied: 'no' },
    )
  }

  function evictIdle(at: number): boolean {
    for (const key of idle) {
      // a token as high as the clock would be given out twice
      if ((records.get(key)?.token ?? at) >= at) continue
      idle.delete(key)
      return records.delete(key)
    }
    return false
  }

  function removeExpired(at: number, { limit, graceMs }: { limit: number; graceMs: number }): number {
    let removed = 0
    for (const [key, record] of records) {
      if (removed >= limit) break
      if (!isPurgeable(record, at, graceMs)) continue
      records.delete(key)
      idle.delete(key)
      removed++
    }
    return removed
  }

  function* seen(): Generator<SeenRecord> {
    for (const [key, record] of records) yield { key, record, now: clock() }
  }

  return {
    capabilities: {
      clock: 'host',
      durable: false,
      shared: 'process',
      transactional: false,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    begin: (key, claim) =>
      answered(() => {
        assertValueFits(MAX_VALUE_BYTES, claim)
        const reply = apply(key, (record, at) => withOwnRequest(reduce(record, { op: 'begin', claim }, at), claim))
        return claim.readOnly ? reply : copyOut(reply)
      }),
    transition: (key, token, change) =>
      answered(() => {
        assertValueFits(MAX_VALUE_BYTES, change)
        const reply = apply(key, (record, at) =>
          reduce(record, { op: 'transition', token, change: withOwnBytes(change) }, at),
        )
        return reply.outcome === 'lost' && reply.current ? { ...reply, current: copyOut(reply.current) } : reply
      }),
    get: (key) =>
      answered(() => {
        const view = apply(key, (record, at) => reduce(record, { op: 'get' }, at))
        return view && copyOut(view)
      }),
    purge: async ({ limit, graceMs = PURGE_GRACE_MS }) => removeExpired(clock(), { limit, graceMs }),
    list: (query) => listUnsorted(query, seen()),
    async watch(key, onChange, signal) {
      if (signal.aborted) return
      const listener = () => onChange()
      const listeners = watchers.get(key) ?? new Set()
      watchers.set(key, listeners.add(listener))
      const disarm = () => {
        listeners.delete(listener)
        if (listeners.size === 0) watchers.delete(key)
      }
      signal.addEventListener('abort', disarm, { once: true })
    },
  }
}

/** Tells whether a record remembers nothing that the next attempt has to know. */
function isIdle({ state, interrupted, leaseUntil, request, checkpoint }: StoredRecord): boolean {
  return state === 'released' && !interrupted && leaseUntil === 0 && request === null && checkpoint === null
}

/** Tells whether nobody asks for the owner of a record again, so that its text need not be kept. */
function isOver({ state }: StoredRecord): boolean {
  return state === 'completed' || state === 'failed'
}

/** Returns a clock without steps: a step would end leases early, or hold them for hours. */
function monotonicMs(): number {
  return performance.timeOrigin + performance.now()
}

/** Copies the request of a claim where its record keeps it: the bytes belong to the caller, who may reuse them. */
function withOwnRequest(reduced: Reduced<BeginReply>, { request }: Claim): Reduced<BeginReply> {
  const { record, reply } = reduced
  if (!request || record?.request !== request) return reduced
  return { record: { ...record, request: new Uint8Array(request) }, reply }
}

/** Copies the bytes of a change that its caller may reuse. */
function withOwnBytes(change: Change): Change {
  if (change.to === 'renew')
    return change.checkpoint ? { ...change, checkpoint: copyCheckpoint(change.checkpoint) } : change
  if (change.to !== 'completed' && change.to !== 'failed') return change
  return change.immutable ? change : { ...change, result: new Uint8Array(change.result) }
}

/** Copies the bytes of a reply, so that a caller who changes them does not change the record. */
function copyOut<View extends RecordView>(view: View): View {
  if (view.request === null && view.checkpoint === null && view.result === null) return view
  return {
    ...view,
    request: copy(view.request),
    checkpoint: view.checkpoint && copyCheckpoint(view.checkpoint),
    result: copy(view.result),
  }
}

function copyCheckpoint({ seq, data }: Checkpoint): Checkpoint {
  return { seq, data: new Uint8Array(data) }
}

function copy(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && new Uint8Array(bytes)
}
