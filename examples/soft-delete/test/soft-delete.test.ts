import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { createTables } from '../src/documents.ts'

let folder: string
let database: Database.Database
let server: Server

async function serve(): Promise<void> {
  database = new Database(join(folder, 'documents.db'))
  await migrate({ database })
  createTables(database)
  server = createApp(database).listen(0, '127.0.0.1')
  await once(server, 'listening')
}

function stop(): void {
  server.closeAllConnections()
  server.close()
  database.close()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'retryproof-soft-delete-'))
  await serve()
  await send('PUT', '/documents/7', { text: 'a contract' })
})

afterEach(() => {
  stop()
  rmSync(folder, { recursive: true })
})

async function send(
  method: string,
  path: string,
  { key, user = 'ann', text }: { key?: string; user?: string; text?: string },
) {
  const headers = {
    'X-User': user,
    ...(key !== undefined && { 'Idempotency-Key': key }),
    ...(text !== undefined && { 'Content-Type': 'application/json' }),
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
  const answer = await fetch(url, { method, headers, ...(text !== undefined && { body: JSON.stringify({ text }) }) })
  return { status: answer.status, replayed: answer.headers.get('idempotency-replayed'), body: await answer.text() }
}

const deleted = (key: string, user?: string) => send('DELETE', '/documents/7', { key, ...(user && { user }) })
const audit = () => database.prepare('SELECT document_id, action, actor, at FROM audit').all()
const rows = () => database.prepare('SELECT id, text, deleted_at FROM documents').all()

describe('a DELETE', () => {
  it('marks the row, and leaves an entry', async () => {
    const { status, replayed, body } = await deleted('k1')
    const { deletedAt } = JSON.parse(body) as { deletedAt: string }
    expect([status, replayed]).toEqual([200, null])
    expect(rows()).toEqual([{ id: '7', text: 'a contract', deleted_at: deletedAt }])
    expect(audit()).toEqual([{ document_id: '7', action: 'delete', actor: 'ann', at: deletedAt }])
    expect((await send('GET', '/documents/7', {})).status).toBe(410)
  })

  it('replays under its key, and with another key answers the same: the first time and entry stay', async () => {
    const first = await deleted('k1')
    const [before, entries] = [rows(), audit()]
    expect(await deleted('k1')).toEqual({ ...first, replayed: 'true' })
    expect(await deleted('k2')).toEqual(first)
    expect(await deleted('k1', 'bob')).toEqual(first)
    expect([rows(), audit()]).toEqual([before, entries])
  })

  it('of many at once, each with its own key, leaves one time and one entry', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => deleted(`k${index}`)))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
    expect([answers[0]?.status, audit().length]).toEqual([200, 1])
  })

  it('replays after a restart', async () => {
    const first = await deleted('k1')
    stop()
    await serve()
    expect(await deleted('k1')).toEqual({ ...first, replayed: 'true' })
    expect(audit()).toHaveLength(1)
  })

  it('of nothing is told so, and needs a key', async () => {
    expect((await send('DELETE', '/documents/8', { key: 'k1' })).status).toBe(404)
    expect((await send('DELETE', '/documents/7', {})).status).toBe(400)
    expect(audit()).toEqual([])
  })
})

describe('GET and PUT', () => {
  it('pass untouched, with a key or without: they may be sent again by themselves', async () => {
    for (const text of ['second', 'third', 'third']) {
      expect(await send('PUT', '/documents/7', { key: 'k1', text })).toEqual({ status: 204, replayed: null, body: '' })
    }
    for (let turn = 0; turn < 2; turn++) {
      const { status, replayed, body } = await send('GET', '/documents/7', { key: 'k1' })
      expect([status, replayed, JSON.parse(body)]).toEqual([200, null, { id: '7', text: 'third' }])
    }
    expect(database.prepare('SELECT count(*) AS kept FROM retryproof').get()).toEqual({ kept: 0 })
  })

  it('do not bring back what was deleted', async () => {
    await deleted('k1')
    await send('PUT', '/documents/7', { text: 'again' })
    expect(rows()).toMatchObject([{ text: 'a contract', deleted_at: expect.any(String) }])
  })
})
