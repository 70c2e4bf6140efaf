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

let folder: string
let database: Database.Database
let server: Server

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'retryproof-html-form-'))
  database = new Database(join(folder, 'bank.db'))
  await migrate({ database })
  server = createApp(database, 'sixteen random bytes').listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
  database.close()
  rmSync(folder, { recursive: true })
})

const url = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
const rows = () => database.prepare('SELECT owner, recipient, amount FROM transfers').all()

/** The body that a browser would send: the hidden field as it stands in the page. */
async function openForm(user = 'ann'): Promise<string> {
  const page = await (await fetch(url('/transfers/new'), { headers: { 'X-User': user } })).text()
  const [, token] = /<input type="hidden" name="token" value="([^"]+)">/.exec(page) ?? []
  if (token === undefined) throw new Error('The form has no token.')
  return token
}

/** The browser's own encoding: `application/x-www-form-urlencoded`, each time on a socket of its own. */
async function submit(token: string, { user = 'ann', to = 'bob', amount = '30' } = {}) {
  const answer = await fetch(url('/transfers'), {
    method: 'POST',
    redirect: 'manual',
    headers: { 'X-User': user, Connection: 'close' },
    body: new URLSearchParams({ token, to, amount }),
  })
  return { status: answer.status, location: answer.headers.get('location') }
}

describe('a form without JavaScript', () => {
  it('makes one row of a double click, and both see the same page', async () => {
    const token = await openForm()
    const answers = await Promise.all([submit(token), submit(token)])
    expect(answers).toEqual(Array(2).fill({ status: 303, location: '/transfers/1' }))
    expect(rows()).toEqual([{ owner: 'ann', recipient: 'bob', amount: 30 }])
    const page = await fetch(url('/transfers/1'), { headers: { 'X-User': 'ann' } })
    expect(await page.text()).toContain('Transfer 1 of 30 was made.')
  })

  it('makes one row of twenty at once', async () => {
    const token = await openForm()
    const answers = await Promise.all(Array.from({ length: 20 }, () => submit(token)))
    expect(new Set(answers.map(({ status, location }) => `${status} ${location}`))).toEqual(
      new Set(['303 /transfers/1']),
    )
    expect(rows()).toHaveLength(1)
  })

  it('makes one row when it is sent again later, as by going back', async () => {
    const token = await openForm()
    expect([await submit(token), await submit(token)]).toEqual(Array(2).fill({ status: 303, location: '/transfers/1' }))
    expect(rows()).toHaveLength(1)
  })

  it('makes a second row when it is opened again, with the same values', async () => {
    for (const location of ['/transfers/1', '/transfers/2']) {
      expect(await submit(await openForm())).toEqual({ status: 303, location })
    }
    expect(rows()).toHaveLength(2)
  })

  it('is refused with other values, with a token of nobody, and with that of another user', async () => {
    const token = await openForm()
    await submit(token)
    expect((await submit(token, { amount: '3000' })).status).toBe(422)
    expect((await submit('none')).status).toBe(403)
    expect((await submit(`${token.slice(0, -1)}x`)).status).toBe(403)
    expect((await submit(await openForm('bob'))).status).toBe(403)
    expect(rows()).toEqual([{ owner: 'ann', recipient: 'bob', amount: 30 }])
  })
})
