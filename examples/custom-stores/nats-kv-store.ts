/** Records in a NATS JetStream key-value bucket: its revisions are the compare-and-set. */
import { jetstream } from '@nats-io/jetstream'
import { Kvm, type KvOptions } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { type CasStorage, createCasStore, type RecordStore } from '@retryproof/core/store'

export interface NatsKvStoreOptions {
  /** It stays the caller's, who closes it. */
  readonly connection: NatsConnection
  /** The name of a bucket of its own. It is made where it is missing. */
  readonly bucket: string
  /** The options of its creation: `{ replicas: 3 }`. */
  readonly bucketOptions?: Partial<KvOptions>
  /** The longest wait for an answer of the server (ms). @default 5_000 */
  readonly timeoutMs?: number
  /** The clock of this machine (ms). All that share the bucket should keep theirs in step. @default Date.now */
  readonly now?: () => number
}

const WRONG_LAST_SEQUENCE = [10071]
const NO_SUCH_MESSAGE = [10043, 10057]
/** Owner, fingerprint and times of a record, and the headers of a message. */
const ROOM_BYTES = 16 * 1024
/** The number of entries that a listing reads at once. */
const PAGE = 64

export async function natsKvStore(options: NatsKvStoreOptions): Promise<RecordStore> {
  const { connection, bucket, bucketOptions, timeoutMs = 5_000, now = Date.now } = options
  const client = jetstream(connection, { timeout: timeoutMs })
  const { streams } = await client.jetstreamManager()
  // a direct get may be answered by a replica that is behind
  const kv = await new Kvm(client).create(bucket, { ...bucketOptions, history: 1, allow_direct: false })

  const storage: CasStorage<number> = {
    async read(key) {
      const entry = await kv.get(encodeKey(key))
      // an entry that somebody deleted by hand keeps a marker, of which `create` knows
      return entry?.operation === 'PUT' ? { value: entry.value, revision: entry.revision } : null
    },
    swap(key, value, revision) {
      const name = encodeKey(key)
      return unless(WRONG_LAST_SEQUENCE, revision === null ? kv.create(name, value) : kv.update(name, value, revision))
    },
    async *entries() {
      const { state } = await streams.info(`KV_${bucket}`, { subjects_filter: '>' })
      const keys = Object.keys(state.subjects ?? {}).map((subject) => decodeKey(subject.slice(`$KV.${bucket}.`.length)))
      while (keys.length > 0) {
        const page = keys.splice(0, PAGE).map(async (key) => ({ key, entry: await storage.read(key) }))
        for (const { key, entry } of await Promise.all(page)) if (entry) yield { key, ...entry }
      }
    },
    // no other message ever has its number
    remove: (_, revision) => unless(NO_SUCH_MESSAGE, streams.deleteMessage(`KV_${bucket}`, revision, false)),
    now,
    capabilities: {
      clock: 'host',
      durable: true,
      shared: 'network',
      maxValueBytes: Math.floor(((connection.info?.max_payload ?? 2 ** 20) - ROOM_BYTES) / 2),
    },
  }
  return createCasStore(storage)
}

/** False where another writer came first. Whatever else goes wrong, it is not known whether the write took effect. */
async function unless(codes: number[], write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (codes.includes(Number((error as { code?: unknown }).code))) return false
    throw error
  }
}

/** NATS takes few characters in a key. All keys that the core makes are of these; any other one stays distinct. */
const encodeKey = (key: string) =>
  /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(key) ? key : `=${Buffer.from(key).toString('base64url')}`
const decodeKey = (name: string) => (name.startsWith('=') ? Buffer.from(name.slice(1), 'base64url').toString() : name)
