import { MongoClient } from 'mongodb'
import { afterAll, expect, test } from 'vitest'
import { withDatabase } from '../stores.ts'
import { type Fault, migrated, onOwnServer, sentences, testServer } from './faults.ts'

const NO_INDEX = /warning: The index that removes expired records is missing/

await onOwnServer('mongodb', {}, (server) => {
  const url = withDatabase('mongodb', server)
  const client = new MongoClient(url)
  afterAll(() => client.close())

  const collection = (name: string, options: object | undefined, expected: Fault['expected']): Fault => ({
    name,
    make: async (table) => {
      await client.db().dropCollection(table)
      if (options) await client.db().createCollection(table, options)
    },
    expected,
  })

  testServer(url, [
    collection('no collection', undefined, /problem: .*does not exist/),
    collection('a capped collection', { capped: true, size: 1e6 }, [/problem: .*capped/, NO_INDEX]),
    collection('a collation', { collation: { locale: 'en' } }, [/problem: .*collation/, NO_INDEX]),
    {
      name: 'no index',
      make: (table) =>
        client
          .db()
          .collection(table)
          .dropIndexes()
          .then(() => undefined),
      expected: NO_INDEX,
    },
  ])
})

await onOwnServer('mongodb', { alone: true }, (server) => {
  test('a server that stands alone', async () => {
    const url = withDatabase('mongodb', server)
    expect(await sentences(url, await migrated(url))).toEqual([
      expect.stringMatching(/problem: MongoDB refused: IllegalOperation/),
    ])
  })
})
