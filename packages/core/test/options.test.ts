/** Every option is checked where it is given, and refused by its name. */
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import type { IdempotencyOptions } from '../src/api/idempotency.ts'
import type { Policies } from '../src/api/policies.ts'
import { errorType } from '../src/encoding/failure.ts'
import { createIdempotency } from '../src/engine/create-idempotency.ts'
import { IdempotencyInvalidOptionError } from '../src/errors.ts'
import { charge, testbed } from './testbed.ts'

const store = memoryStore()
const codec = { id: 'same', encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }
const serializer = { id: 'mine', serialize: () => new Uint8Array(), deserialize: () => null }
const type = errorType('name', Error, { toData: () => null, fromData: () => new Error() })

/** Each policy with a value that is none: the option that is named, and the value. */
const badPolicies: [option: string, policies: object][] = [
  ['lease', { lease: '9ms' }],
  ['lease', { lease: -1 }],
  ['lease', { lease: Number.NaN }],
  ['lease', { lease: null }],
  ['lease', { lease: '101y' }],
  ['lease', { lease: 101 * 366 * 86_400_000 }],
  ['retention', { retention: 999 }],
  ['retention', { retention: 'a day' }],
  ['maxRun', { maxRun: 0 }],
  ['maxRun', { maxRun: Number.POSITIVE_INFINITY }],
  ['onFailure', { onFailure: 'ignore' }],
  ['onFailure', { onFailure: true }],
  ['onFailure.retry', { onFailure: { retry: 'soon' } }],
  ['onFailure.retry', { onFailure: { retry: -1 } }],
  ['onFailure.retry', { onFailure: {} }],
  ['onFailure.retry', { onFailure: null }],
  ['onInProgress', { onInProgress: 'wait' }],
  ['onInProgress', { onInProgress: null }],
  ['onInProgress', { onInProgress: {} }],
  ['onInProgress', { onInProgress: 5000 }],
  ['onInProgress.wait', { onInProgress: { wait: 0 } }],
  ['onInProgress.wait', { onInProgress: { wait: 'long' } }],
  ['onTakeover', { onTakeover: 'ask' }],
  ['onTakeover', { onTakeover: null }],
  ['maxAttempts', { maxAttempts: 0 }],
  ['maxAttempts', { maxAttempts: 1.5 }],
  ['maxAttempts', { maxAttempts: '3' }],
  ['maxAttempts', { maxAttempts: null }],
  ['replay', { replay: 'weak' }],
  ['replay', { replay: null }],
  ['replay', { replay: { reference: () => 1 } }],
  ['storeRequest', { storeRequest: true }],
  ['onStoreUnavailable', { onStoreUnavailable: 'ignore' }],
  ['serializer', { serializer: null }],
  ['serializer', { serializer: JSON }],
  ['serializer', { serializer: { ...serializer, id: 'Mine' } }],
  ['serializer', { serializer: { ...serializer, id: undefined } }],
  ['serializer', { serializer: { ...serializer, id: '' } }],
  ['leese', { leese: '30s' }],
  ['toString', { toString: '30s' }],
]

const badOptions: [option: string, options: object][] = [
  ['store', { store: undefined }],
  ['store', { store: null }],
  ['store', { store: new Map() }],
  ['store', { store: { ...store, transition: undefined } }],
  ['store', { store: { ...store, capabilities: undefined } }],
  ['namespace', { namespace: undefined }],
  ['namespace', { namespace: '' }],
  ['namespace', { namespace: 'n'.repeat(256) }],
  ['namespace', { namespace: 'n\ud800' }],
  ['namespace', { namespace: 7 }],
  ['secret', { secret: 'short' }],
  ['secret', { secret: '' }],
  ['secret', { secret: null }],
  ['secret', { secret: 1234567890123456 }],
  ['storeTimeout', { storeTimeout: 0 }],
  ['storeTimeout', { storeTimeout: 'long' }],
  ['settleTimeout', { settleTimeout: -1 }],
  ['codecs', { codecs: codec }],
  ['codecs', { codecs: null }],
  ['codecs', { codecs: [null] }],
  ['codecs', { codecs: [{ ...codec, decode: undefined }] }],
  ['codecs', { codecs: [{ ...codec, id: 'two words' }] }],
  ['codecs', { codecs: [{ ...codec, id: 'a-name-of-more-than-16' }] }],
  ['codecs', { codecs: [codec, { ...codec }] }],
  ['codecs', { codecs: Array.from({ length: 9 }, (_, i) => ({ ...codec, id: `codec-${i}` })) }],
  ['errors', { errors: type }],
  ['errors', { errors: [Error] }],
  ['errors', { errors: [null] }],
  ['errors', { errors: [{ ...type, name: '' }] }],
  ['errors', { errors: [type, { ...type }] }],
  ['stores', { stores: store }],
]

function refusal(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('of an instance', () => {
  test.each([...badOptions, ...badPolicies])('%s: %o', (option, options) => {
    const error = refusal(() => createIdempotency({ store, namespace: 'n', ...options } as IdempotencyOptions))
    expect(error).toBeInstanceOf(IdempotencyInvalidOptionError)
    expect(error).toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION', option })
    expect((error as Error).message).toMatch(new RegExp(`^${option}: (must|is|needs|has)`))
  })

  test('none at all', () => {
    expect(() => createIdempotency(undefined as never)).toThrow(IdempotencyInvalidOptionError)
  })

  test('an option that is undefined is not given', () => {
    const options = { store, namespace: 'n', secret: undefined, lease: undefined, codecs: undefined, errors: undefined }
    expect(() => createIdempotency(options as never)).not.toThrow()
  })

  test('the message of an unknown one says which there are', () => {
    expect(() => createIdempotency({ store, namespace: 'n', leese: 1 } as never)).toThrow(
      /there are store, namespace, .*lease/,
    )
  })

  test('all of them, at their limits', () => {
    const options: IdempotencyOptions = {
      store,
      namespace: 'n'.repeat(255),
      secret: '1234567890123456',
      codecs: [codec, { ...codec, id: '-' }],
      errors: [type, { ...type, name: 'other' }],
      storeTimeout: 1,
      settleTimeout: 1,
      lease: 10,
      retention: 1000,
      maxRun: 10,
      onFailure: { retry: 0 },
      onInProgress: { wait: 1 },
      onTakeover: 'park',
      maxAttempts: 1,
      replay: { reference: () => 1, rebuild: () => 2 },
      storeRequest: 'plaintext',
      onStoreUnavailable: 'proceed',
      serializer,
    }
    expect(() => createIdempotency(options)).not.toThrow()
    expect(() =>
      createIdempotency({ ...options, lease: '36525d', retention: '36525d', maxRun: '36525d' }),
    ).not.toThrow()
  })

  test('are read once', async () => {
    const codecs = [codec]
    const errors = [type]
    const { idempotency } = testbed({ codecs, errors })
    codecs.push({ ...codec, id: 'late' })
    errors.length = 0
    await idempotency.run(charge, () => 'paid')
    codecs.length = 0
    expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
  })
})

describe('of an operation and of a call', () => {
  test.each(badPolicies)('%s: %o', async (option, policies) => {
    const { idempotency, store: seen } = testbed()
    expect(refusal(() => idempotency.operation('charge', policies as Policies))).toMatchObject({
      code: 'IDEMPOTENCY_INVALID_OPTION',
      option,
    })
    expect(refusal(() => idempotency.wrap(vi.fn(), () => charge, policies as Policies))).toMatchObject({ option })
    const handler = vi.fn()
    await expect(idempotency.run(charge, handler, policies as Policies)).rejects.toMatchObject({ option })
    expect(handler).not.toHaveBeenCalled()
    expect(seen.names).toEqual([])
  })

  test.each(['store', 'namespace', 'secret', 'codecs', 'errors', 'storeTimeout'])('%s is none of theirs', (option) => {
    const { idempotency } = testbed()
    expect(refusal(() => idempotency.operation('charge', { [option]: '5s' }))).toMatchObject({ option })
  })

  test('an operation needs a name', () => {
    const { idempotency } = testbed()
    for (const name of ['', 'o'.repeat(256), undefined]) {
      expect(refusal(() => idempotency.operation(name as string))).toMatchObject({
        code: 'IDEMPOTENCY_INVALID_CALL',
        field: 'operation',
      })
    }
  })
})
