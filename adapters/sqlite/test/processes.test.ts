/** Four processes on one file. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeStore } from '@retryproof/conformance/vitest'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate, sqliteStore } from '../src/index.ts'
import { claim } from './claim.ts'
import { forkStore, type StoreProcess } from './processes/fork-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-sqlite-'))
const file = join(folder, 'records.db')
const processes: StoreProcess[] = []
beforeAll(async () => {
  const database = new Database(file)
  await migrate({ database })
  database.close()
  processes.push(...(await Promise.all(Array.from({ length: 4 }, () => forkStore(file)))))
})
afterAll(async () => {
  await Promise.all(processes.map(({ stop }) => stop()))
  rmSync(folder, { recursive: true })
})

let opened = 0
const nextProcess = (): StoreProcess => {
  const next = processes[opened++ % processes.length]
  if (!next) throw new Error('no process was started')
  return next
}

describeStore('sqlite, each client in one of four processes,', { open: ({ now }) => nextProcess().store(now) })

describe('four processes that begin the same keys', () => {
  const keys = Array.from({ length: 250 }, (_, i) => `storm.first.${i}`)
  const acquireAll = async (names: readonly string[]): Promise<readonly string[]> => {
    const acquired = await Promise.all(processes.map(({ call }) => call({ method: 'acquireAll', args: [names] })))
    return (acquired as string[][]).flat().sort()
  }

  test('acquire each of them once', async () => {
    expect(await acquireAll(keys)).toEqual([...keys].sort())
    expect(await acquireAll(keys)).toEqual([])
  })

  test('take each lapsed one over once', async () => {
    const lapsed = keys.map((key) => key.replace('first', 'lapsed'))
    const store = nextProcess().store()
    for (const key of lapsed) await store.begin(key, claim({ owner: 'gone', leaseMs: 0 }))
    expect(await acquireAll(lapsed)).toEqual([...lapsed].sort())
    for (const key of lapsed) expect(await store.get(key)).toMatchObject({ state: 'completed', attempt: 2 })
  })
})

test('a process that is killed while it holds the lock holds up nobody', async () => {
  const holder = await forkStore(file)
  await holder.call({ method: 'holdLock', args: [] })
  const database = new Database(file)
  const begin = sqliteStore({ database }).begin('storm.kill.1', claim())
  holder.child.kill('SIGKILL')
  await once(holder.child, 'exit')
  expect(await begin).toMatchObject({ outcome: 'acquired' })
  database.close()
})
