/** A process that serves a store of its own, on a connection of its own, to the process that forked it. */
import Database from 'better-sqlite3'
import { type SqliteStore, sqliteStore } from '../../src/index.ts'
import { claim } from '../claim.ts'
import type { Answer, Request } from './messages.ts'

const [file = ''] = process.argv.slice(2)
const database = new Database(file)
let nowMs = 0
const stores = {
  real: sqliteStore({ database }),
  injected: sqliteStore({ database, now: () => nowMs }),
}

async function serve({ nowMs: injectedMs, method, args }: Request): Promise<unknown> {
  const store = injectedMs === undefined ? stores.real : stores.injected
  if (injectedMs !== undefined) nowMs = injectedMs
  switch (method) {
    case 'list': {
      const records = []
      for await (const record of store.list(args[0])) records.push(record)
      return records
    }
    case 'acquireAll':
      return acquireAll(store, args[0])
    case 'holdLock':
      return database.exec('BEGIN IMMEDIATE') && true
    default:
      return (store[method] as (...values: unknown[]) => unknown)(...args)
  }
}

/** Begins every key, settles what it acquired, and says which keys those were. */
async function acquireAll(store: SqliteStore<Database.Database>, keys: readonly string[]): Promise<readonly string[]> {
  const acquired: string[] = []
  for (const key of keys) {
    const { outcome, token } = await store.begin(key, claim({ owner: `process ${process.pid}` }))
    if (outcome !== 'acquired') continue
    acquired.push(key)
    await store.transition(key, token, { to: 'completed', result: new Uint8Array([1]), retentionMs: 60_000 })
  }
  return acquired
}

process.on('message', async (request: Request) => {
  const answer: Answer = await serve(request).then(
    (value) => ({ id: request.id, value }),
    (error: { name: string; message: string; applied?: 'no' | 'unknown' }) => ({
      id: request.id,
      error: { name: error.name, message: error.message, applied: error.applied },
    }),
  )
  process.send?.(answer)
})
process.on('disconnect', () => process.exit())
process.send?.({ id: 0, value: 'ready' } satisfies Answer)
