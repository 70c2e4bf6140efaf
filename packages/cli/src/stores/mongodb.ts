/** A store in MongoDB, by its driver. */
import type { IdempotencyStore } from '@retryproof/core'
import { checkClock, checkVersion, type Finding, warning } from '../checks/finding.ts'
import { loadModule } from '../target/load-module.ts'
import type { OpenedStore, StoreAddress } from './opened-store.ts'

interface Collection {
  indexes(): Promise<{ readonly key: object; readonly expireAfterSeconds?: number }[]>
}
interface Client {
  db(name?: string): {
    collection(name: string): Collection
    command(command: object): Promise<Record<string, unknown>>
  }
  close(): Promise<void>
}
interface Adapter {
  mongodbStore(options: object): IdempotencyStore<never>
  schema(): object[]
  migrate(options: object): Promise<void>
}

const NEEDED = ['@retryproof/mongodb', 'mongodb']

export async function openMongodb({ url, table = 'retryproof', cwd, now }: StoreAddress): Promise<OpenedStore> {
  const adapter = await loadModule<Adapter>(cwd, '@retryproof/mongodb', NEEDED)
  const driver = await loadModule<{ MongoClient: new (url: string, options: object) => Client }>(cwd, 'mongodb', NEEDED)
  const client = new driver.MongoClient(url, { serverSelectionTimeoutMS: 5000 })
  const collection = client.db().collection(table)
  return {
    kind: 'mongodb',
    store: adapter.mongodbStore({ collection }),
    schema: () => `${JSON.stringify(adapter.schema(), null, 2)}\n`,
    migrate: () => adapter.migrate({ collection }),
    findings: () => findings(client, collection, now),
    async bytes() {
      const { storageSize, totalIndexSize } = await client.db().command({ collStats: table })
      return Number(storageSize) + Number(totalIndexSize)
    },
    close: () => client.close(),
  }
}

const NAMESPACE_NOT_FOUND = 26

async function findings(client: Client, collection: Collection, now: () => number): Promise<Finding[]> {
  const hello = await client.db().command({ hello: 1 })
  const { version } = await client.db().command({ buildInfo: 1 })
  const found: Finding[] = [
    ...checkVersion('MongoDB', String(version), '5.0'),
    ...checkClock((hello.localTime as Date).getTime(), now()),
  ]
  const indexes = await collection.indexes().catch((error: { code?: number }) => {
    if (error.code === NAMESPACE_NOT_FOUND) return undefined
    throw error
  })
  if (indexes && !indexes.some(({ key, expireAfterSeconds }) => 'expiresAt' in key && expireAfterSeconds !== undefined))
    found.push(
      warning(
        'The index that removes expired records is missing: the collection grows for ever.',
        'Run retryproof migrate.',
      ),
    )
  return found
}
