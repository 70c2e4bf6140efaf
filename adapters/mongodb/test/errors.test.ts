import { StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core'
import { MongoNetworkError, MongoServerError } from 'mongodb'
import { expect, test } from 'vitest'
import { toStoreError } from '../src/errors.ts'

test('a refusal that repeats the command is named, and not quoted', () => {
  const refusal = new MongoServerError({
    code: 13,
    codeName: 'Unauthorized',
    errmsg: 'not authorized on app to execute command { let: { result: { $literal: "card 4242" } } }',
  })
  const error = toStoreError(refusal, 'unknown')
  expect(error).toBeInstanceOf(StoreMisconfiguredError)
  expect(error.message).toBe('MongoDB refused: Unauthorized (13). Give this user the role readWrite on the database.')
  expect(JSON.stringify([error.message, error.cause, error.stack])).not.toContain('4242')
})

test('a server that has no transactions is recognised behind the words of the driver', () => {
  const original = new MongoServerError({ code: 20, codeName: 'IllegalOperation', errmsg: 'Transaction numbers …' })
  const refusal = new MongoServerError({
    errmsg: 'This deployment does not support retryable writes',
    originalError: original,
  })
  expect(toStoreError(refusal, 'unknown').message).toBe(
    'MongoDB refused: IllegalOperation (20). Transactions need a replica set: start the server as one, of one member at least.',
  )
})

test('what is not known to have failed is unknown, and an error of ours stays as it is', () => {
  const cause = new MongoNetworkError('connection closed')
  expect(toStoreError(cause, 'unknown')).toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'unknown',
    cause,
  })
  const own = new StoreUnavailableError('own', { applied: 'no' })
  expect(toStoreError(own, 'unknown')).toBe(own)
})
