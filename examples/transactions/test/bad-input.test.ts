/** A mistake of a caller is a typed error: nothing is lost, and nothing is committed by half. */
import {
  createIdempotency,
  IdempotencyInvalidOptionError,
  IdempotencyInvalidStepError,
  unscoped,
} from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { type Backend, targets } from './backends.ts'

const call = { operation: 'pay', scope: unscoped, key: 'payment 1', payload: 1 } as const

function shop<Tx>(backend: Backend<Tx>) {
  const { store, insert } = backend.open()
  const idempotency = createIdempotency({ store, namespace: 'shop' })
  const write =
    <T>(effect: string, value: T) =>
    (tx: Tx): T | Promise<T> =>
      insert(tx, call.key, effect)?.then(() => value) ?? value
  const effects = () => backend.values(call.key)
  /** The key is as free as if nothing had been asked. */
  async function expectNothing(): Promise<void> {
    expect(await effects()).toEqual([])
    expect(await idempotency.transaction(call, write('paid', 'paid'))).toMatchObject({ value: 'paid', attempt: 1 })
    expect(await effects()).toEqual(['paid'])
  }
  return { store, idempotency, write, effects, expectNothing }
}

async function refuseTransactionOf<Tx>(backend: Backend<Tx>, where: 'here' | 'elsewhere', codes: readonly string[]) {
  const { idempotency, write, expectNothing } = shop(backend)
  const opened = await backend.begin(where)
  if (where === 'here') await opened.commit()
  const refused: unknown = await idempotency
    .transaction(call, write('by half', 1), { tx: opened.tx })
    .catch((error: unknown) => error)
  expect(codes).toContain((refused as { code?: unknown }).code)
  await opened.close()
  await expectNothing()
}

for (const { name, title, missing, use } of targets) {
  describe.skipIf(missing)(`on ${title}`, { timeout: 60_000 }, () => {
    test('a transaction that has ended is refused as `tx`', () =>
      // PostgreSQL says so at the first statement
      use((backend) =>
        refuseTransactionOf(backend, 'here', ['IDEMPOTENCY_INVALID_OPTION', 'IDEMPOTENCY_STORE_UNAVAILABLE']),
      ))

    test('a transaction of another database or client is refused as `tx`', () =>
      use((backend) =>
        refuseTransactionOf(backend, 'elsewhere', [
          'IDEMPOTENCY_INVALID_OPTION',
          'IDEMPOTENCY_STORE_MISCONFIGURED',
          // on MySQL the store reaches its table from every database of the server, and the work does not reach its own
          'ER_NO_SUCH_TABLE',
        ]),
      ))

    test('a name that two steps have is refused at the second one, and a corrected handler goes on from the first', () =>
      use(async (backend) => {
        const { idempotency, write, effects } = shop(backend)
        const twice = idempotency.run(call, async ({ transaction }) => [
          await transaction('write', write('first', 1)),
          await transaction('write', write('second', 2)),
        ])
        await expect(twice).rejects.toBeInstanceOf(IdempotencyInvalidStepError)
        expect(await effects()).toEqual(['first'])
        const corrected = await idempotency.run(call, async ({ transaction }) => [
          await transaction('write', write('first again', 1)),
          await transaction('more', write('second', 2)),
        ])
        expect(corrected).toMatchObject({ value: [1, 2], replayed: false })
        expect((await effects()).sort()).toEqual(['first', 'second'])
      }))

    test('a checkpoint that the store has no room for rolls its step back, and keeps what was before', () =>
      use(async (backend) => {
        const { store, idempotency, write, effects } = shop(backend)
        const order = (value: string) =>
          idempotency.run(call, async ({ transaction }) => [
            await transaction('small', write('small', 1)),
            (await transaction('large', write('large', value))).length,
          ])
        const tooLarge = 'x'.repeat(store.capabilities.maxValueBytes)
        await expect(order(tooLarge)).rejects.toThrow(/the store takes \d+/)
        await expect(order(tooLarge)).rejects.toBeInstanceOf(IdempotencyInvalidStepError)
        expect(await effects()).toEqual(['small'])
        // with a little less than the limit it fits
        const fits = store.capabilities.maxValueBytes - 1000
        expect(await order('x'.repeat(fits))).toMatchObject({ value: [1, fits], replayed: false })
        expect((await effects()).sort()).toEqual(['large', 'small'])
      }))

    if (name !== 'sqlite') return
    test('work that awaits is refused, since transactions are synchronous', () =>
      use(async (backend) => {
        const { idempotency, write, effects } = shop(backend)
        const byHalf = write('by half', 1)
        const awaiting = async (tx: Parameters<typeof byHalf>[0]) => {
          const value = await byHalf(tx)
          return value
        }
        for (const mode of ['fenced', 'single'] as const)
          await expect(idempotency.transaction(call, awaiting, { mode })).rejects.toBeInstanceOf(
            IdempotencyInvalidOptionError,
          )
        const inStep = idempotency.run(call, ({ transaction }) => transaction('write', awaiting))
        await expect(inStep).rejects.toBeInstanceOf(IdempotencyInvalidOptionError)
        expect(await effects()).toEqual([])
        // and the key waits for nobody
        expect(await idempotency.transaction(call, write('paid', 'paid'))).toMatchObject({ value: 'paid' })
        expect(await effects()).toEqual(['paid'])
      }))
  })
}
