/** Types of the MongoDB driver, as far as the store uses it. */

/** The methods of a collection that the store calls. */
export interface MongodbCollection<Session = unknown> {
  readonly collectionName: string
  readonly db: {
    readonly client: { startSession(): Session }
    createCollection(name: string): Promise<unknown>
    listCollections(filter: object, options: object): { toArray(): Promise<unknown[]> }
  }
  createIndexes(indexes: IndexSpecification[]): Promise<unknown>
  findOneAndUpdate(filter: object, update: object[], options: object): Promise<unknown>
  find(filter: object, options: object): AsyncIterable<unknown>
  aggregate(pipeline: object[], options: object): AsyncIterable<unknown>
  deleteMany(filter: object, options: object): Promise<{ readonly deletedCount: number }>
}

/** An index, as `createIndexes` takes it. */
export interface IndexSpecification {
  readonly name: string
  readonly key: Record<string, 1>
  readonly expireAfterSeconds: number
}

/** The methods of a session that the store calls. */
export interface MongodbSession {
  inTransaction(): boolean
  withTransaction<T>(work: () => Promise<T>, options: object): Promise<T>
  endSession(): Promise<void>
}
