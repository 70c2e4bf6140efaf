import { StoreUnavailableError } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { faulty } from '../src/index.ts'
import { referenceStore } from './reference-store.ts'

const claim = { owner: 'a', fingerprint: 'f', leaseMs: 60_000, retentionMs: 60_000 }

describe('faulty', () => {
  test.for([
    { fault: 'refuse', applied: 'no', done: false },
    { fault: 'lose request', applied: 'unknown', done: false },
    { fault: 'lose reply', applied: 'unknown', done: true },
  ] as const)('$fault: $applied, done: $done', async ({ fault, applied, done }) => {
    const store = faulty(referenceStore(), [fault])
    const error = await store.begin('key', claim).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error).toMatchObject({ applied })
    expect((await store.get('key')) !== null).toBe(done)
  })

  test('holds a call back', async () => {
    let release = () => {}
    const until = new Promise<void>((resolve) => {
      release = resolve
    })
    const store = faulty(referenceStore(), [{ until }, null, { delayMs: 1 }])
    const begun = store.begin('key', claim)
    expect(await store.get('key')).toBeNull()
    release()
    expect((await begun).outcome).toBe('acquired')
    expect(await store.get('key')).not.toBeNull()
  })

  test('a plan chooses by operation, key, place and what a transition leads to', async () => {
    const calls: unknown[] = []
    const store = faulty(referenceStore(), (call) => {
      calls.push(call)
      return call.to === 'parked' ? 'refuse' : null
    })
    const { token } = await store.begin('key', claim)
    await expect(store.transition('key', token, { to: 'parked', retentionMs: 1 })).rejects.toMatchObject({
      applied: 'no',
    })
    await store.get('other')
    expect(calls).toEqual([
      { op: 'begin', key: 'key', index: 0 },
      { op: 'transition', key: 'key', index: 1, to: 'parked' },
      { op: 'get', key: 'other', index: 2 },
    ])
  })

  test('keeps every other method', async () => {
    const store = faulty(referenceStore(), [])
    expect(await store.purge?.({ limit: 1 })).toBe(0)
    expect(Object.keys(store).sort()).toEqual(Object.keys(referenceStore()).sort())
  })
})
