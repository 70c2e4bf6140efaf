/** A record that changes between the question and the answer is not resolved or forgotten. */
import { mkdtempSync, rmSync } from 'node:fs'
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
