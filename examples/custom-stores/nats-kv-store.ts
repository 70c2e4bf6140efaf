/** Records in a NATS JetStream key-value bucket: its revisions are the compare-and-set. */
import type { KV, KvEntry } from '@nats-io/kv'
import { type CasStorage, createCasStore, type IdempotencyStore } from '@retryproof/core'

export interface NatsKvStoreOptions {
  /**
   * A bucket of its own, with `history: 1` and `allow_direct: false`: a direct get may be answered by a replica that is
   * behind. How durable it is, its `replicas` and `storage` say.
   */
  readonly bucket: KV
  /** The largest message that the server takes (`connection.info.max_payload`), in bytes. @default 1 MiB */
  readonly maxPayloadBytes?: number
  /** The clock of this machine (ms). All machines that share the bucket should keep theirs in step (NTP). @default Date.now */
  readonly now?: () => number
}

const WRONG_LAST_SEQUENCE = [10071, 10164]
/** Owner, fingerprint and times of a record, and the headers of a message. */
const ROOM_BYTES = 16 * 1024

export function natsKvStore({ bucket, maxPayloadBytes = 2 ** 20, now }: NatsKvStoreOptions): IdempotencyStore {
  const storage: CasStorage<number> = {
    async read(key) {
      const entry = await bucket.get(encodeKey(key))
      return isThere(entry) ? { value: entry.value, revision: entry.revision } : null
    },
    async swap(key, value, revision) {
      const name = encodeKey(key)
      return unlessOvertaken(revision === null ? bucket.create(name, value) : bucket.update(name, value, revision))
    },
    remove: (key, revision) => unlessOvertaken(bucket.delete(encodeKey(key), { previousSeq: revision })),
    async *entries() {
      for await (const entry of await bucket.history()) {
        if (isThere(entry)) yield { key: decodeKey(entry.key), value: entry.value, revision: entry.revision }
      }
    },
    capabilities: {
      clock: 'host',
      durable: true,
      shared: 'network',
      maxValueBytes: Math.floor((maxPayloadBytes - ROOM_BYTES) / 2),
    },
    ...(now && { now }),
  }
  return createCasStore(storage)
}

/** A deleted key keeps a marker, of which `create` knows. */
function isThere(entry: KvEntry | null): entry is KvEntry {
  return entry?.operation === 'PUT'
}

/** False where another writer came first. Whatever else goes wrong, it is not known whether the write took effect. */
async function unlessOvertaken(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (WRONG_LAST_SEQUENCE.includes(Number((error as { code?: unknown }).code))) return false
    throw error
  }
}

/** NATS takes few characters in a key. All keys that the core makes are of these; any other one stays distinct. */
const encodeKey = (key: string) =>
  /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(key) ? key : `=${Buffer.from(key).toString('base64url')}`
const decodeKey = (name: string) => (name.startsWith('=') ? Buffer.from(name.slice(1), 'base64url').toString() : name)
