/**
 * The payment provider: a process of its own with a database of its own. As real providers do, it charges once for each
 * idempotency key that it is given, and once for every request where it is given none.
 */
import { setTimeout as pause } from 'node:timers/promises'
import express from 'express'
import Database from 'libsql'
import { announce, required, tellParent } from './process.ts'

/** The time that a charge takes. */
const takesMs = Number(required('PROVIDER_TAKES_MS'))
const database = new Database(required('PROVIDER_FILE'))
database.pragma('journal_mode = WAL')
database.exec(
  'CREATE TABLE IF NOT EXISTS charges (id INTEGER PRIMARY KEY, key TEXT UNIQUE, reference TEXT NOT NULL, amount INTEGER NOT NULL)',
)
const insert = database.prepare(
  'INSERT INTO charges (key, reference, amount) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING',
)
const byKey = database.prepare('SELECT id, reference, amount FROM charges WHERE key = ?')
const byId = database.prepare('SELECT id, reference, amount FROM charges WHERE id = ?')
const counts = database.prepare(
  'SELECT reference, count(*) AS charges FROM charges GROUP BY reference ORDER BY min(id)',
)

const app = express().use(express.json())

app.post('/charges', async (request, response) => {
  const key = request.get('Idempotency-Key') ?? null
  const { reference, amount } = request.body
  await pause(takesMs)
  const { changes, lastInsertRowid } = insert.run(key, reference, amount)
  if (changes > 0) tellParent({ charged: reference })
  response.status(201).json(key === null ? byId.get(lastInsertRowid) : byKey.get(key))
})

app.get('/charges', (_request, response) => {
  response.json(counts.all())
})

app.delete('/charges', (_request, response) => {
  database.exec('DELETE FROM charges')
  response.status(204).end()
})

const server = app.listen(0, '127.0.0.1', () => announce(server))
