import { memoryStore } from '@retryproof/memory'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createIdempotency, type Outcome, type Replayed } from '../src/index.ts'

interface Plain {
  readonly id: string
  tags?: string[]
  readonly inner: { readonly total: number | null }
}

class Order {
  id = 'o1'
  placedAt = new Date(0)
  lines = [{ sku: 's', at: new Date(0) }]
  total() {
    return 1
  }
}

describe('the type of an outcome is that of a replay', () => {
  test('JSON changes nothing of plain values', () => {
    expectTypeOf<Replayed<Plain>>().toEqualTypeOf<Plain>()
    expectTypeOf<Replayed<string>>().toEqualTypeOf<string>()
    expectTypeOf<Replayed<[1, 'a']>>().toEqualTypeOf<[1, 'a']>()
    expectTypeOf<Replayed<void>>().toEqualTypeOf<void>()
    expectTypeOf<Replayed<unknown>>().toEqualTypeOf<unknown>()
    expectTypeOf<Replayed<string | undefined>>().toEqualTypeOf<string | undefined>()
  })

  test('a date is a text, a method is gone, and a value with toJSON is what that returns', () => {
    expectTypeOf<Replayed<Date>>().toEqualTypeOf<string>()
    expectTypeOf<Replayed<{ total: { toJSON(): { cents: number; at: Date } } }>>().toEqualTypeOf<{
      total: { cents: number; at: string }
    }>()
    type Stored = { id: string; placedAt: string; lines: { sku: string; at: string }[] }
    expectTypeOf<Replayed<Order>>().toEqualTypeOf<Stored>()
  })

  test('the first caller and the next get what the type says', async () => {
    const orders = createIdempotency({ store: memoryStore(), namespace: 'types' }).operation('order')
    for (const replayed of [false, true]) {
      const outcome = await orders.run({ scope: 'a', key: 'k' }, () => new Order())
      expect(outcome).toMatchObject({ replayed })
      expect(outcome.value.placedAt.slice(0, 4)).toBe('1970')
      // @ts-expect-error the method is gone
      expect(outcome.value.total).toBeUndefined()
    }
    const place = orders.wrap(
      (id: string) => ({ id, at: new Date(0) }),
      (key) => ({ scope: 'b', key }),
    )
    expect((await place('k')).at.length).toBe(24)
  })

  test('a serializer that keeps more has the type that is named', async () => {
    const orders = createIdempotency({ store: memoryStore(), namespace: 'types' }).operation('order')
    const outcome = orders.run<Date, Date>({ scope: 'a', key: 'k' }, () => new Date(0))
    expectTypeOf(outcome).toEqualTypeOf<Promise<Outcome<Date>>>()
    await outcome
  })
})
