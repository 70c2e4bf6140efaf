/** The proof for each library: its write and the key commit together, or neither leaves a trace. */
import { createIdempotency, type Idempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import { expect } from 'vitest'

export const callOf = (key: string) => ({ operation: 'pay', scope: unscoped, key, payload: { amount: 100 } }) as const

export class DeclinedError extends Error {}

export interface Shop<Tx> {
  readonly store: IdempotencyStore<Tx>
  /** The number of payments that were committed under a key. */
  paid(key: string): Promise<number>
}

/** `transact` has the library open a transaction, commit it when `use` resolves, and roll it back when it rejects. */
export async function proveJoined<Tx>(
  { store, paid }: Shop<Tx>,
  key: string,
  transact: (use: (tx: Tx, write: () => Promise<unknown>) => Promise<void>) => Promise<unknown>,
): Promise<void> {
  const idempotency = createIdempotency({ store, namespace: 'shop' })
  const pay = (end: () => void, replayed: boolean) =>
    transact(async (tx, write) => {
      const outcome = await idempotency.transaction(callOf(key), () => write().then(() => 'paid'), { tx })
      expect(outcome).toMatchObject({ value: 'paid', replayed })
      end()
    })
  const decline = () => {
    throw new DeclinedError()
  }
  await expect(pay(decline, false)).rejects.toThrow(DeclinedError)
  await expectNoTrace(idempotency, { paid }, key)
  await pay(() => {}, false)
  await pay(() => {}, true)
  expect(await paid(key)).toBe(1)
}

/** `write` runs in the transaction that the store opened. */
export async function proveHandedOut<Tx>(
  { store, paid }: Shop<Tx>,
  key: string,
  write: (tx: Tx) => Promise<unknown>,
  mode: 'fenced' | 'single',
): Promise<void> {
  const idempotency = createIdempotency({ store, namespace: 'shop' })
  const declined = idempotency.transaction(
    callOf(key),
    async (tx) => {
      await write(tx)
      throw new DeclinedError()
    },
    { mode },
  )
  await expect(declined).rejects.toThrow(DeclinedError)
  expect(await paid(key)).toBe(0)
  const pay = () => idempotency.transaction(callOf(key), (tx) => write(tx).then(() => 'paid'), { mode })
  expect(await pay()).toMatchObject({ value: 'paid', replayed: false })
  expect(await pay()).toMatchObject({ value: 'paid', replayed: true })
  expect(await paid(key)).toBe(1)
}

async function expectNoTrace<Tx>(
  idempotency: Idempotency<Tx>,
  { paid }: Pick<Shop<Tx>, 'paid'>,
  key: string,
): Promise<void> {
  expect(await paid(key)).toBe(0)
  expect(await idempotency.inspect(callOf(key))).toBe(null)
}
