import { randomUUID } from 'node:crypto'
import { migrate, mongodbStore } from '@retryproof/mongodb'
import { lruCache, tieredStore } from '@retryproof/tiered'
import { type Collection, MongoClient } from 'mongodb'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'

interface Entry {
  readonly _id: string
  readonly owner: string
  readonly fingerprint: string
  readonly result?: Json
}

const DURABLY = { writeConcern: { w: 'majority', journal: true } } as const
const inMs = (ms: number) => ({ $add: ['$$NOW', ms] })

/** One command that claims or reads, one that completes only what is still held. */
async function byHand(client: MongoClient): Promise<Opened> {
  await client.connect()
  const entries: Collection<Entry> = client.db('bench').collection('by_hand')
  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const owner = randomUUID()
      const claim = { _id: key, owner, fingerprint, until: inMs(LEASE_MS) }
      const found = await entries.findOneAndUpdate(
        { _id: key },
        [{ $replaceWith: { $cond: [{ $gt: ['$until', '$$NOW'] }, '$$ROOT', claim] } }],
        { upsert: true, returnDocument: 'after', ...DURABLY },
      )
      if (found?.owner !== owner) {
        if (found?.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
        if (!found.result) throw new Held('The key is held.')
        return found.result
      }
      const value = await work()
      const result = { $set: { result: { $literal: value }, until: inMs(RETENTION_MS) } }
      const { matchedCount } = await entries.updateOne({ _id: key, owner }, [result], DURABLY)
      if (matchedCount !== 1) throw new Held('The lease was lost.')
      return value
    },
    close: () => client.close(),
  }
}

async function ours(client: MongoClient, isCached = false): Promise<Opened> {
  const collection = client.db('bench').collection<{ _id: string }>('retryproof')
  await migrate({ collection })
  const durable = mongodbStore({ collection })
  return over(isCached ? tieredStore({ cache: lruCache(), durable }) : durable, () => client.close())
}

export function mongodb(url: string): Driver {
  return {
    name: 'mongodb',
    isLocal: false,
    subjects: [
      { kind: 'floor', name: 'two commands, majority and journal', open: () => byHand(new MongoClient(url)) },
      { kind: 'ours', name: 'Retryproof', open: () => ours(new MongoClient(url)) },
      { kind: 'ours', name: 'Retryproof behind lruCache', open: () => ours(new MongoClient(url), true) },
    ],
  }
}
