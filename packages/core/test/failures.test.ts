import { describe, expect, test } from 'vitest'
import { errorType, fromStoredFailure, toStoredFailure } from '../src/encoding/failure.ts'
import { IdempotencyReplayedFailureError } from '../src/errors.ts'

class CardDeclined extends Error {
  override readonly name = 'CardDeclined'
  readonly reason: string

  constructor(reason: string) {
    super(`The card was declined: ${reason}`)
    this.reason = reason
  }
}
class OutOfStock extends Error {}

const cardDeclined = errorType('card-declined', CardDeclined, {
  toData: ({ reason }) => ({ reason }),
  fromData: ({ reason }) => new CardDeclined(reason),
})
const outOfStock = errorType('out-of-stock', OutOfStock, {
  toData: () => undefined,
  fromData: (_, { message }) => new OutOfStock(message),
})
const types = [cardDeclined, outOfStock]

/** A failure as a record keeps it: through JSON. */
const stored = (error: unknown, known = types) => JSON.parse(JSON.stringify(toStoredFailure(error, known)))

describe('a failure of a registered class', () => {
  test('is kept under the name of its registration, and thrown as that class', () => {
    const failure = stored(new CardDeclined('expired'))
    expect(failure).toEqual({
      name: 'card-declined',
      message: 'The card was declined: expired',
      data: { reason: 'expired' },
    })
    const error = fromStoredFailure(failure, types)
    expect(error).toBeInstanceOf(CardDeclined)
    expect(error).toMatchObject({ reason: 'expired' })
  })

  test('needs no data of its own', () => {
    const error = fromStoredFailure(stored(new OutOfStock('none left')), types)
    expect(error).toBeInstanceOf(OutOfStock)
    expect(error.message).toBe('none left')
  })

  test('may be of a class below it', () => {
    class CardExpired extends CardDeclined {}
    expect(fromStoredFailure(stored(new CardExpired('expired')), types)).toBeInstanceOf(CardDeclined)
  })

  test('that its class cannot make again is still that failure', () => {
    const broken = errorType('card-declined', CardDeclined, {
      toData: () => null,
      fromData: () => {
        throw new TypeError('reason is missing')
      },
    })
    const error = fromStoredFailure(stored(new CardDeclined('expired')), [broken])
    expect(error).toBeInstanceOf(IdempotencyReplayedFailureError)
    expect(error).toMatchObject({ failure: { name: 'card-declined' }, cause: { message: 'reason is missing' } })
  })
})

describe('a failure of no registered class', () => {
  test('is a IdempotencyReplayedFailureError with name, message and code', () => {
    const failure = stored(Object.assign(new RangeError('too far'), { code: 'E_FAR', secret: 'not kept' }))
    expect(failure).toEqual({ name: 'RangeError', message: 'too far', code: 'E_FAR' })
    const error = fromStoredFailure(failure, types)
    expect(error).toBeInstanceOf(IdempotencyReplayedFailureError)
    expect(error).toMatchObject({ message: 'too far', code: 'IDEMPOTENCY_REPLAYED_FAILURE', failure })
  })

  test('is not taken for a registered class that has its name', () => {
    class Impostor extends Error {
      override readonly name = 'card-declined'
    }
    expect(fromStoredFailure(stored(new Impostor('no')), types)).toBeInstanceOf(IdempotencyReplayedFailureError)
  })

  test('was of a class that is registered no more', () => {
    expect(fromStoredFailure(stored(new CardDeclined('expired')), [])).toMatchObject({
      code: 'IDEMPOTENCY_REPLAYED_FAILURE',
      failure: { name: 'card-declined', data: { reason: 'expired' } },
    })
  })

  test('a numeric code is kept, any other is not', () => {
    expect(stored(Object.assign(new Error('no'), { code: 404 }))).toMatchObject({ code: 404 })
    expect(stored(Object.assign(new Error('no'), { code: { deep: 1 } }))).not.toHaveProperty('code')
  })

  test.each<[string, unknown, string]>([
    ['a text', 'just a text', 'just a text'],
    ['nothing', undefined, 'A value that is no Error was thrown.'],
    ['null', null, 'A value that is no Error was thrown.'],
    ['a number', 7, 'A value that is no Error was thrown.'],
    ['an object', { status: 500 }, 'A value that is no Error was thrown.'],
  ])('that was %s is kept all the same', (_, thrown, message) => {
    expect(stored(thrown)).toEqual({ name: 'Error', message })
  })
})
