/** The collection: its index, its creation, and the check that it can hold records. */
import { assertKnownOptions, StoreMisconfiguredError } from '@retryproof/core/store'
import { type IndexSpecification, type MongodbCollection, READABLE, requireDriver } from './driver.ts'
import { codeOf, toStoreError } from './errors.ts'

const NAMESPACE_EXISTS = 48

/**
 * Returns the index besides `_id`. The server uses it to remove documents a minute after they expired. No answer depends
 * on it.
 *
 * @example
 * import { schema } from '@retryproof/mongodb'
 *
 * console.log(schema())
 */
export function schema(): IndexSpecification[] {
  return [{ name: 'retryproof_expiry', key: { expiresAt: 1 }, expireAfterSeconds: 60 }]
}

/**
 * Creates the collection and its index if they are missing, and checks them. Can be run again.
 *
 * @example
 * import { migrate } from '@retryproof/mongodb'
 * import { MongoClient } from 'mongodb'
 *
 * const client = new MongoClient('mongodb://localhost/shop?replicaSet=rs0')
 * await migrate({ collection: client.db().collection('idempotency') })
 *
 * @throws {@link StoreMisconfiguredError} when the collection cannot hold records
 */
export async function migrate(options: { readonly collection: MongodbCollection }): Promise<void> {
  assertKnownOptions(options, { collection: true })
  const { collection } = options
  requireDriver(collection)
  try {
    await collection.db.createCollection(collection.collectionName).catch((error) => {
      if (codeOf(error) !== NAMESPACE_EXISTS) throw error
    })
    await requireCollection(collection)
    await collection.createIndexes(schema())
  } catch (error) {
    throw toStoreError(error, 'unknown')
  }
}

/** @throws {@link StoreMisconfiguredError} when the collection is missing, or could merge keys or lose records */
export async function requireCollection({ collectionName: name, db }: MongodbCollection): Promise<void> {
  const [found] = await db.listCollections({ name }, READABLE).toArray()
  const problem = problemOf(found as Found | undefined)
  if (problem) throw new StoreMisconfiguredError(`The collection '${name}' ${problem}.`)
}

interface Found {
  readonly type: string
  readonly options: { readonly collation?: { readonly locale: string }; readonly capped?: boolean }
}

function problemOf(found: Found | undefined): string | null {
  if (!found) return 'does not exist: run migrate()'
  const { type, options } = found
  const another = 'give the store a collection of its own'
  if (type !== 'collection') return `is a ${type}: ${another}`
  if (options.capped) return `is capped, which loses records: ${another}`
  if (!options.collation || options.collation.locale === 'simple') return null
  return `has the collation '${options.collation.locale}', by which different keys can be one: ${another}`
}
