import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'

const CREATE = `CREATE TABLE by_hand (key TEXT PRIMARY KEY, token INTEGER NOT NULL, fingerprint TEXT NOT NULL,
  until INTEGER NOT NULL, result TEXT) WITHOUT ROWID`
const CLAIM = `INSERT INTO by_hand AS old (key, token, fingerprint, until) VALUES (?, 1, ?, ?)
  ON CONFLICT (key) DO UPDATE SET token = old.token + 1, fingerprint = excluded.fingerprint, until = excluded.until,
    result = NULL WHERE old.until <= ?
  RETURNING token`
const READ = 'SELECT fingerprint, result FROM by_hand WHERE key = ? AND until > ?'
const COMPLETE = 'UPDATE by_hand SET result = ?, until = ? WHERE key = ? AND token = ?'

/** A read, and a claim where there is nothing, since a write that changes nothing would still take the lock. */
function byHand(database: Database.Database): Opened {
  database.exec(CREATE)
  const claim = database.prepare<unknown[], { readonly token: number }>(CLAIM)
  const read = database.prepare<unknown[], { readonly fingerprint: string; readonly result: string | null }>(READ)
  const complete = database.prepare(COMPLETE)
  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const now = Date.now()
      const known = read.get(key, now)
      if (known) {
        if (known.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
        if (known.result === null) throw new Held('The key is held.')
        return JSON.parse(known.result) as Json
      }
      const claimed = claim.get(key, fingerprint, now + LEASE_MS, now)
      if (!claimed) throw new Held('Another claim came between.')
      const value = await work()
      const { changes } = complete.run(JSON.stringify(value), Date.now() + RETENTION_MS, key, claimed.token)
      if (changes !== 1) throw new Held('The lease was lost.')
      return value
    },
    close: async () => {
      database.close()
    },
  }
}

/** FULL is what an acknowledged result needs to survive a loss of power. */
async function newDatabase(synchronous = 'FULL'): Promise<Database.Database> {
  const database = new Database(join(await mkdtemp(join(tmpdir(), 'retryproof-bench-sqlite-')), 'bench.db'))
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${synchronous}`)
  return database
}

export const sqlite: Driver = {
  name: 'sqlite (WAL, synchronous FULL)',
  isLocal: true,
  subjects: [
    { kind: 'floor', name: 'three prepared statements', open: async () => byHand(await newDatabase()) },
    {
      kind: 'peer',
      name: 'by hand, synchronous NORMAL: may lose what was acknowledged',
      open: async () => byHand(await newDatabase('NORMAL')),
    },
    {
      kind: 'ours',
      name: 'Retryproof',
      open: async () => {
        const database = await newDatabase()
        await migrate({ database })
        return over(sqliteStore({ database }), async () => {
          database.close()
        })
      },
    },
  ],
}
