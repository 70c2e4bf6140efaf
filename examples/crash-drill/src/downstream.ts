/**
 * Somebody else's system, in a database that no transaction of the store reaches: it takes charges, and whoever gives a
 * derived key with one is charged once for it. A killed process loses nothing that it was told of.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Effect, Place } from './place.ts'

export interface Downstream {
  /** Whatever was charged before. */
  charge(effect: Effect): void
  /** Once for each derived key: gives the value of the charge that stands, and whether this call made it. */
  chargeOnce(derivedKey: string, effect: Effect): { readonly value: string; readonly made: boolean }
  charges(): Effect[]
  close(): void
}

export function openDownstream({ folder }: Place): Downstream {
  const database = new Sqlite(join(folder, 'downstream.db'), { timeout: 20_000 })
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = OFF')
  database.exec(
    'CREATE TABLE IF NOT EXISTS charges (derived TEXT UNIQUE, key TEXT NOT NULL, value TEXT NOT NULL) STRICT',
  )
  const insert = database.prepare('INSERT INTO charges (key, value) VALUES (?, ?)')
  const insertOnce = database.prepare('INSERT INTO charges VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
  const find = database.prepare('SELECT value FROM charges WHERE derived = ?').pluck()
  const all = database.prepare('SELECT key, value FROM charges')
  return {
    charge({ key, value }) {
      insert.run(key, value)
    },
    chargeOnce(derivedKey, { key, value }) {
      const { changes } = insertOnce.run(derivedKey, key, value)
      return { value: String(find.get(derivedKey)), made: changes === 1 }
    },
    charges: () => all.all() as Effect[],
    close: () => void database.close(),
  }
}
