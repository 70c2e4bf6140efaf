/** Storages that fail: nothing is sent without a key that is kept. */
import { expect, test } from 'vitest'
import { type IntentStorage, IntentStorageError, memoryStorage, webStorage } from '../src/index.ts'
import { ok, setUp } from './set-up.ts'

/** A `Storage` that does what it is told. */
function storageOf(set: (key: string, value: string) => void, get: (key: string) => string | null): Storage {
  return { setItem: set, getItem: get, removeItem() {}, clear() {}, key: () => null, length: 0 }
}

test.each<[string, IntentStorage]>([
  [
    'full',
    webStorage(() =>
      storageOf(
        () => {
          throw new DOMException('full', 'QuotaExceededError')
        },
        () => null,
      ),
    ),
  ],
  [
    'blocked',
    webStorage(() => {
      throw new DOMException('blocked', 'SecurityError')
    }),
  ],
  ['absent', webStorage(() => (globalThis as unknown as { none: Storage }).none)],
  [
    'forgetful',
    webStorage(() =>
      storageOf(
        () => {},
        () => null,
      ),
    ),
  ],
  [
    'of somebody else',
    webStorage(() =>
      storageOf(
        () => {},
        () => 'what is this?',
      ),
    ),
  ],
])('a storage that is %s: a typed error, and nothing is sent', async (_, storage) => {
  const { send, sent } = setUp([ok], { storage })
  await expect(send()).rejects.toThrow(IntentStorageError)
  expect(sent).toHaveLength(0)
})

test('an answer that cannot be noted is returned all the same, and asked for with the same key', async () => {
  const inner = memoryStorage()
  let updates = 0
  const storage: IntentStorage = {
    update(name, change) {
      const isNote = ++updates % 2 === 0
      return isNote ? Promise.reject(new IntentStorageError('full')) : inner.update(name, change)
    },
  }
  const { send, keys, sent } = setUp([ok], { storage })
  expect((await send()).status).toBe(201)
  await send()
  expect([updates, sent.length, keys().size]).toEqual([4, 2, 1])
})
