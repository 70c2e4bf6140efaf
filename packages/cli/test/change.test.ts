/** Refusals of `resolve` and `forget`: of a record in another state, or that has changed meanwhile; of a file that does not fit. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { openTarget } from '../src/target/open-target.ts'
import type { Target } from '../src/target/target.ts'
import { done, run } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-cli-change-'))
const store = `sqlite:${join(folder, 'records.db')}`
const owner = { scope: 'tenant_7', key: 'k' }
let target: Target

beforeAll(async () => {
  await done(['migrate', '--store', store])
  const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
  target = await openTarget(io, { store, namespace: 'shop' })
})
afterAll(async () => {
  await target.close()
  rmSync(folder, { recursive: true })
})

/** Parks a key, and returns its storage key with a function that parks it again, as a call that came after it. */
async function park(operation: string) {
  const shop = target.instance()
  const parking = shop.operation(operation, { maxAttempts: 1, onTakeover: 'park' })
  const attempt = () => parking.run(owner, () => Promise.reject(new Error('broken'))).catch(() => undefined)
  const parked = async () => {
    await attempt()
    await attempt()
    const found = await parking.inspect(owner)
    if (found?.state !== 'parked') throw new Error(`The key is not parked: ${found?.state}`)
    return found
  }
  const { key, token } = await parked()
  const parkAgain = async () => {
    await shop.forget({ key })
    expect((await parked()).token).not.toBe(token)
  }
  return { shop, key, parkAgain }
}

test('resolve acts on no other attempt than the one it asked about', async () => {
  const { shop, key, parkAgain } = await park('refund')
  const confirm = () => parkAgain().then(() => true)
  const ran = await run(['resolve', key, '--rerun', '--store', store], { canAsk: true, confirm })
  expect([ran.exitCode, ran.out]).toEqual([exitCodes.refused, ''])
  expect(ran.err).toContain('has changed since the question')
  expect((await shop.inspect({ key }))?.state).toBe('parked')
})

test('forget keeps a result that was recorded while it asked', async () => {
  const { shop, key } = await park('charge')
  const confirm = () => shop.resolve({ key }, { completed: 1 }).then(() => true)
  const ran = await run(['forget', key, '--store', store], { canAsk: true, confirm })
  expect(ran.exitCode).toBe(exitCodes.refused)
  expect(await shop.inspect({ key })).toMatchObject({ state: 'completed', value: 1 })
  expect((await run(['forget', key, '--store', store], { answer: true })).exitCode).toBe(exitCodes.done)
})

test('a record that is not parked is told before anybody is asked', async () => {
  const { key } = await park('settled')
  await done(['resolve', key, '--failed', 'no', '--yes', '--store', store])
  const ran = await run(['resolve', key, '--rerun', '--store', store], { answer: true })
  expect([ran.exitCode, ran.questions]).toEqual([exitCodes.refused, []])
  expect(ran.err).toContain('this one is failed')
})

function file(name: string, bytes: string | Uint8Array): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

test.each([
  ['UTF-8 with its mark', Buffer.from('\ufeff{"id":1}\r\n')],
  ['UTF-16 of Windows', Buffer.from('\ufeff{"id":1}\r\n', 'utf16le')],
  ['UTF-16, the other way round', Buffer.from('\ufeff{"id":1}\r\n', 'utf16le').swap16()],
])('a file of %s is read', async (name, bytes) => {
  const { shop, key } = await park(name)
  await done(['resolve', key, '--completed', file('result.json', bytes), '--yes', '--store', store])
  expect(await shop.inspect({ key })).toMatchObject({ value: { id: 1 } })
})

test.each([
  ['{"card": hunter2}', /holds no JSON/],
  ['', /it is empty/],
])('a file that holds %j is refused before anybody is asked, and not quoted', async (text, message) => {
  const { key } = await park('typo')
  const ran = await run(['resolve', key, '--completed', file('typo.json', text), '--store', store], { answer: true })
  expect([ran.exitCode, ran.questions]).toEqual([exitCodes.usage, []])
  expect(ran.err).toMatch(message)
  expect(ran.err).not.toContain('hunter2')
})

test('a response of the wrong shape, or a result without room, leaves the key parked', async () => {
  const route = await park('POST /orders')
  for (const text of ['null', '[]', '{"status":201,"boddy":1}', '{"status":204,"body":"x"}']) {
    const given = ['--response', file('response.json', text), '--yes', '--store', store]
    expect([text, (await run(['resolve', route.key, ...given])).exitCode]).toEqual([text, exitCodes.usage])
  }
  const large = await park('large')
  const given = [
    '--completed',
    file('large.json', JSON.stringify('x'.repeat(17 * 1024 * 1024))),
    '--yes',
    '--store',
    store,
  ]
  const ran = await run(['resolve', large.key, ...given])
  expect([ran.exitCode, ran.err]).toEqual([exitCodes.usage, expect.stringContaining('bytes that the store takes')])
  for (const { shop, key } of [route, large]) expect((await shop.inspect({ key }))?.state).toBe('parked')
})
