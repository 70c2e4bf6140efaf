import { type IdempotencyStore, isPurgeable, reduce, type StoredRecord } from '@retryproof/core'

/** The contract itself as a store: a `Map` and `reduce`. */
export function referenceStore({
  now = () => Date.now(),
  records = new Map<string, StoredRecord>(),
}: {
  now?: () => number
  records?: Map<string, StoredRecord>
} = {}): IdempotencyStore {
  const us = () => Math.round(now() * 1000)
  return {
    capabilities: {
      clock: 'host',
      durable: false,
      shared: 'process',
      transactional: false,
      maxValueBytes: 64 * 1024 * 1024,
    },
    async begin(key, claim) {
      const { record, reply } = reduce(records.get(key) ?? null, { op: 'begin', claim }, us())
      if (record) records.set(key, record)
      return reply
    },
    async transition(key, token, change) {
      const { record, reply } = reduce(records.get(key) ?? null, { op: 'transition', token, change }, us())
      if (record) records.set(key, record)
      return reply
    },
    async get(key) {
      return reduce(records.get(key) ?? null, { op: 'get' }, us()).reply
    },
    async purge({ limit, graceMs = 60_000 }) {
      const at = us()
      const old = [...records].filter(([, record]) => isPurgeable(record, at, graceMs)).slice(0, limit)
      for (const [key] of old) records.delete(key)
      return old.length
    },
  }
}
