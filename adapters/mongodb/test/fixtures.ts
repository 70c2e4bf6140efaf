/** Stores on real servers, each on a collection of its own. */
import { randomBytes } from 'node:crypto'
import type { StoreHarness } from '@retryproof/conformance'
import type { Claim } from '@retryproof/core/store'
import {
  type ClientSession,
  type Collection,
  type Db,
  type Document,
  MongoClient,
  type MongoClientOptions,
} from 'mongodb'
import { migrate, mongodbStore } from '../src/index.ts'

const databaseName = `retryproof_${randomBytes(6).toString('hex')}`
const fresh = () => randomBytes(6).toString('hex')

export const freshKey = (): string => `mongodb.test.${fresh()}`
export const claimOf = (owner: string, more: Partial<Claim> = {}): Claim => ({
  owner,
  fingerprint: 'fingerprint',
  leaseMs: 60_000,
  retentionMs: 3_600_000,
  ...more,
})
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array | null | undefined): string => new TextDecoder().decode(value ?? undefined)

/** A client that finds out soon when a server is gone. */
export function connect(url: string, options: MongoClientOptions = {}): MongoClient {
  return new MongoClient(url, { serverSelectionTimeoutMS: 10_000, connectTimeoutMS: 2_000, ...options })
}

/** Settings of an application's client, which change no answer. */
export const clientModes: Readonly<Record<string, MongoClientOptions>> = {
  'reads from secondaries': { readPreference: 'secondaryPreferred' },
  'unacknowledged writes': { w: 0 },
  'writes that time out': { w: 1, wtimeoutMS: 1 },
  'values as they are': { promoteValues: false },
  'longs as they are': { promoteLongs: false },
  'longs as bigint': { useBigInt64: true },
  'buffers as they are': { promoteBuffers: false },
  'raw documents': { raw: true },
  'no retries': { retryWrites: false, retryReads: false },
  'one connection': { maxPoolSize: 1 },
  'undefined ignored': { ignoreUndefined: true },
  'a time-out of operations': { timeoutMS: 20_000 },
  'the strict stable API': { serverApi: { version: '1', strict: true, deprecationErrors: true } },
}

export const databaseOf = (client: MongoClient): Db => client.db(databaseName)

/** A collection of a client, which `migrate` makes where it is missing. */
export async function migrated(
  client: MongoClient,
  name = `c_${fresh()}`,
): Promise<Collection<Document & { _id: string }>> {
  const collection = databaseOf(client).collection<Document & { _id: string }>(name)
  await migrate({ collection })
  return collection
}

/** A harness for the suite: each store has a client of its own, through which the suite may put a proxy. */
export function harnessOf(url: string, options: MongoClientOptions = {}, batch = true) {
  const name = `c_${fresh()}`
  const clients = new Map<unknown, MongoClient>()
  let made: Promise<void> | undefined

  async function make(): Promise<void> {
    const client = connect(url)
    await migrated(client, name)
    await client.close()
  }

  async function open(at: string, now: (() => number) | undefined) {
    made ??= make()
    await made
    const client = connect(at, options)
    const store = mongodbStore({ collection: databaseOf(client).collection(name), batch, ...(now && { now }) })
    clients.set(store, client)
    return store
  }

  const { hostname: host, port } = new URL(url)
  return {
    open: ({ now }) => open(url, now),
    close: async (store) => clients.get(store)?.close(),
    unreachable() {
      const client = connect('mongodb://127.0.0.1:1/?directConnection=true', { serverSelectionTimeoutMS: 200 })
      return mongodbStore({ collection: databaseOf(client).collection(name) })
    },
    server: {
      host,
      port: Number(port),
      open: (address, { now }) => open(`mongodb://${address.host}:${address.port}/?directConnection=true`, now),
    },
  } satisfies StoreHarness<ClientSession>
}
