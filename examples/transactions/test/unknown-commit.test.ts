/**
 * The answer to COMMIT is lost while the session that sent it is still open: what the caller does next must not be done
 * beside that transaction, and nobody may be told of an effect that was rolled back.
 */
import { createIdempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import { afterEach, describe, expect, test } from 'vitest'
import { openProxy } from '../../../adapters/postgres/test/proxy.ts'
import { type Backend, targets } from './backends.ts'
import type { Fate } from './cut-commits.ts'

const call = { operation: 'pay', scope: unscoped, key: 'payment 1', payload: { amount: 100 } } as const
const modes = ['fenced', 'single'] as const
const [postgres, sqlite] = ['postgres', 'sqlite'].map((name) => targets.find((target) => target.name === name))

const open = <Tx>(store: IdempotencyStore<Tx>) => createIdempotency({ store, namespace: 'shop', storeTimeout: '20s' })

/** Pays on the transaction; each run leaves another value. */
function payer<Tx>(insert: ReturnType<Backend<Tx>['open']>['insert'], name: string) {
  let runs = 0
  return (tx: Tx): string | Promise<string> => {
    const value = `${name} ${++runs}`
    return insert(tx, call.key, value)?.then(() => value) ?? value
  }
}

describe.skipIf(postgres?.missing)(`an unknown COMMIT on ${postgres?.title}`, { timeout: 30_000 }, () => {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  /** Two processes; the first COMMIT of one is held by the network, its client cut off, and its session open. */
  async function heldCommit<Tx>(backend: Backend<Tx>) {
    let isCut = () => {}
    const cut = new Promise<void>((resolve) => {
      isCut = resolve
    })
    const fates: Fate[] = ['hold']
    const proxy = await openProxy(`${postgres?.url}`, (request) => {
      if (!request.includes('COMMIT\0')) return 'pass'
      const fate = fates.shift() ?? 'pass'
      if (fate === 'hold') isCut()
      return fate
    })
    closing.push(proxy.close)
    const [far, near] = [backend.open({ url: proxy.url }), backend.open()]
    return { far, near, cut, release: proxy.release, hangUp: proxy.close }
  }

  describe.each(modes)('%s', (mode) => {
    test('it lands while the caller asks: the caller waits, and there is one payment', () =>
      postgres?.use(async (backend) => {
        const { far, cut, release } = await heldCommit(backend)
        const paid = open(far.store).transaction(call, payer(far.insert, 'first'), { mode })
        await cut
        const isOpen = await Promise.race([paid.then(() => false), backend.someoneWaits?.().then(() => true)])
        expect(isOpen, 'the caller waits for the open session').toBe(true)
        expect(await backend.values(call.key)).toEqual([])
        release()
        expect(await paid).toMatchObject({ value: 'first 1', recorded: true, attempt: 1 })
        expect(await backend.values(call.key)).toEqual(['first 1'])
      }))

    test('it never lands: once the session is gone the work is done again, and there is one payment', () =>
      postgres?.use(async (backend) => {
        const { far, cut, hangUp } = await heldCommit(backend)
        const near = backend.open()
        let begins = 0
        // the database stays within reach, past what holds the COMMIT
        const store: IdempotencyStore<never> = {
          ...(near.store as IdempotencyStore<never>),
          transaction: (work) => (begins++ === 0 ? far.store : near.store).transaction?.(work as never) as never,
        }
        const paid = open(store).transaction(call, payer(far.insert as never, 'run'), { mode })
        await cut
        await backend.someoneWaits?.()
        expect(await backend.values(call.key)).toEqual([])
        await hangUp()
        expect(await paid).toMatchObject({ value: 'run 2', recorded: true })
        expect(await backend.values(call.key)).toEqual(['run 2'])
      }))

    test('a duplicate from another process does not pay beside it', () =>
      postgres?.use(async (backend) => {
        const { far, near, cut, release } = await heldCommit(backend)
        const paid = open(far.store).transaction(call, payer(far.insert, 'first'), { mode })
        await cut
        const duplicate = open(near.store).transaction(call, payer(near.insert, 'second'), { mode: 'single' })
        const answered = duplicate.catch((error: { code: string }) => error.code)
        await backend.someoneWaits?.()
        release()
        await paid
        const seen = await answered
        // it waited for the transaction that was first, or was told that the key is held
        if (typeof seen === 'object') expect(seen.value).toBe('first 1')
        else expect(seen).toBe('IDEMPOTENCY_IN_PROGRESS')
        expect(await backend.values(call.key)).toEqual(['first 1'])
      }))
  })
})

describe('a COMMIT that failed on SQLite, and a duplicate in the same instant', () => {
  test('single: who was rolled back answers with what the other committed, though their tokens are equal', () =>
    sqlite?.use(async (backend) => {
      const now = () => 1_700_000_000_000
      const fates: Fate[] = ['lose request']
      const first = backend.open({ now, next: (isCommit) => (isCommit ? (fates.shift() ?? 'pass') : 'pass') })
      const second = backend.open({ now })
      // between the rollback and the question what became of it
      const store: typeof first.store = {
        ...first.store,
        async begin(key, claim) {
          await open(second.store).transaction(call, payer(second.insert, 'second'), { mode: 'single' })
          return first.store.begin(key, claim)
        },
      }
      const paid = await open(store).transaction(call, payer(first.insert, 'first'), { mode: 'single' })
      expect(await backend.values(call.key)).toEqual(['second 1'])
      expect(paid).toMatchObject({ value: 'second 1', replayed: true })
    }))
})
