/** Transactions that another library opens: what its errors mean before, in and after the work. */
import { memoryStore } from '@retryproof/memory'
import { expect, test } from 'vitest'
import { createIdempotency, ormStore } from '../src/index.ts'
import type { BoundStore, IdempotencyStore } from '../src/store.ts'

const call = { operation: 'order', scope: 'ann', key: 'k' }

/** A store that joins any transaction: what it does there stands at once, so that rolling back is not shown here. */
function joining(): IdempotencyStore<'client'> {
  const store = memoryStore()
  const bound: BoundStore = { begin: store.begin, transition: store.transition, get: store.get }
  const capabilities = { ...store.capabilities, transactional: 'async' as const }
  return { ...store, capabilities, bind: () => bound, transaction: async (work) => work('client') }
}

interface Ends {
  readonly opening?: unknown
  readonly committing?: unknown
  readonly wraps?: boolean
}

function open({ opening, committing, wraps = false }: Ends = {}) {
  const seen: string[] = []
  const store = ormStore<'client', { readonly name: string }>(joining(), {
    async transaction(work) {
      if (opening) throw opening
      const value = await work({ name: 'orm' }).catch((error: unknown) => {
        throw wraps ? new Error('QueryFailedError', { cause: error }) : error
      })
      if (committing) throw committing
      return value
    },
    async client({ name }) {
      seen.push(name)
      return 'client' as const
    },
  })
  return { seen, store, idempotency: createIdempotency({ store, namespace: 'n', purge: false }) }
}

const coded = (code: string | number, inner = 'code') => Object.assign(new Error(String(code)), { [inner]: code })
const commit = (ends: Ends) => open(ends).store.transaction?.(async () => 1) ?? Promise.resolve()

test('work gets the transaction of the library, and the store its client', async () => {
  const { idempotency, seen } = open()
  const first = await idempotency.transaction(call, (tx) => tx.name)
  const second = await idempotency.transaction(call, () => 'again')
  expect([first.value, second.value, second.replayed]).toEqual(['orm', 'orm', true])
  expect(new Set(seen)).toEqual(new Set(['orm']))
})

test('an error of the work comes through as it was thrown, also where the library wraps it', async () => {
  const declined = new Error('declined')
  for (const wraps of [false, true]) {
    const { store } = open({ wraps })
    await expect(store.transaction?.(() => Promise.reject(declined))).rejects.toBe(declined)
  }
})

test('no transaction: nothing was applied', async () => {
  const answer = { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' }
  await expect(commit({ opening: coded('ECONNREFUSED') })).rejects.toMatchObject(answer)
})

test('an error after the work, without a word of the server, leaves the COMMIT unknown', async () => {
  const answer = { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' }
  await expect(commit({ committing: coded('ECONNRESET') })).rejects.toMatchObject(answer)
  await expect(commit({ committing: coded('57P01') })).rejects.toMatchObject(answer)
})

test('a COMMIT that the server refuses is no outage: a deferred constraint', async () => {
  await expect(commit({ committing: coded('23503') })).rejects.toMatchObject({ code: '23503' })
})

test.each([
  ['40001', 'conflict'],
  ['40P01', 'conflict'],
  [1213, 'conflict'],
  ['P2034', 'conflict'],
  ['55P03', 'lock-timeout'],
  [1205, 'lock-timeout'],
] as const)('code %s is a %s, however deep the library keeps it', async (code, reason) => {
  const wrapped = ['cause', 'original', 'parent', 'driverError', 'previous', 'meta'].map((name) =>
    Object.assign(new Error('of the library'), { [name]: coded(code, typeof code === 'number' ? 'errno' : 'code') }),
  )
  for (const error of [coded(code), ...wrapped]) {
    const answer = { code: 'IDEMPOTENCY_TRANSACTION_CONFLICT', reason }
    await expect(commit({ committing: error })).rejects.toMatchObject(answer)
    await expect(open().store.transaction?.(() => Promise.reject(error))).rejects.toMatchObject(answer)
  }
})

test('an error that contains itself is read once', async () => {
  const error: Error & { cause?: unknown } = new Error('circle')
  error.cause = error
  await expect(commit({ committing: error })).rejects.toMatchObject({ applied: 'unknown' })
})

test('a store without transactions is refused', () => {
  const orm = { transaction: () => Promise.reject(new Error('unused')), client: () => undefined as never }
  expect(() => ormStore(memoryStore(), orm)).toThrow(/store/)
})
