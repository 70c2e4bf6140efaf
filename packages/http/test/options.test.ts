import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { createGuard, type HttpOptions } from '../src/index.ts'

const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
const scope = () => 'user'

describe('options', () => {
  it.each<[string, unknown]>([
    ['scope', {}],
    ['scope', { scope: 'everybody' }],
    ['scope', { scope: Symbol('unscoped') }],
    ['operation', { scope, operation: '' }],
    ['operation', { scope, operation: 'x'.repeat(256) }],
    ['operation', { scope, operation: 7 }],
    ['key', { scope, key: 'X-Request-Id' }],
    ['syntax', { scope, syntax: 'loose' }],
    ['methods', { scope, methods: 'DELETE' }],
    ['methods', { scope, methods: ['DELETE '] }],
    ['required', { scope, required: 'no' }],
    ['fingerprint', { scope, fingerprint: {} }],
    ['fingerprint', { scope, fingerprint: null }],
    ['fingerprint', { scope, fingerprint: 'body' }],
    ['acceptFingerprints', { scope, acceptFingerprints: { omit: [] } }],
    ['acceptFingerprints', { scope, acceptFingerprints: [{}] }],
    ['keyFormat', { scope, keyFormat: 'ulid' }],
    ['fingerprint', { scope, fingerprint: { pick: [''] } }],
    ['fingerprint', { scope, fingerprint: { pick: ['a'], omit: ['b'] } }],
    ['maxRequestBytes', { scope, maxRequestBytes: -1 }],
    ['maxResponseBytes', { scope, maxResponseBytes: '1mb' }],
    ['record', { scope, record: 'everything' }],
    ['record', { scope, record: 'toString' }],
    ['record', { scope, record: async () => false }],
    ['problem', { scope, problem: async () => undefined }],
    ['stream', { scope, stream: 1 }],
    ['maxRetryAfter', { scope, maxRetryAfter: '0s' }],
    ['maxRetryAfter', { scope, maxRetryAfter: 'soon' }],
    ['docs', { scope, docs: '/docs' }],
    ['lease', { scope, lease: '1' }],
    ['retention', { scope, retention: '10ms' }],
    ['retensión', { scope, retensión: '1d' }],
  ])('%s is refused when the binding is made: %j', (option, options) => {
    try {
      createGuard(idempotency, options as HttpOptions<object>)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(IdempotencyInvalidOptionError)
      expect(error).toMatchObject({ option })
    }
  })

  it.each([
    ['swapped with the instance', { scope }, 'an object of Object'],
    ['given no instance', undefined, 'undefined'],
  ])('are refused where they are %s', (_case, instance, kind) => {
    expect(() => createGuard(instance as never, { scope })).toThrow(
      `idempotency: must be what createIdempotency() gives, got ${kind}`,
    )
  })

  it('lets no request pass to a handler that would have no transaction', () => {
    const capabilities = { ...idempotency.capabilities, transactional: 'async' } as const
    const transactional = { ...idempotency, capabilities } as typeof idempotency
    const options = { scope: unscoped, transaction: true } as const
    const guard = createGuard(transactional, options, { hasHandler: true })
    expect(guard.covers('POST')).toBe(true)
    expect(guard.covers('DELETE', () => 'DELETE')).toBe(true)
    expect(() => guard.covers('DELETE')).toThrow(/must name DELETE/)
    expect(() => createGuard(transactional, { ...options, required: false }, { hasHandler: true })).toThrow(/required/)
    const asking = createGuard(transactional, options, { hasHandler: true, asksForTransaction: true })
    expect(asking.covers('GET')).toBe(false)
  })

  it.each([
    ['operations', 'operation'],
    ['finger_print', 'fingerprint'],
    ['replayheader', 'replayHeader'],
    ['leese', 'lease'],
  ])('%s is refused with the name that was meant, and the list of all', (name, meant) => {
    const make = () => createGuard(idempotency, { scope, [name]: 'x' } as HttpOptions<object>)
    expect(make).toThrow(`did you mean ${meant}?`)
    expect(make).toThrow(/scope.*storeRequest/s)
  })

  it('does not take the serializer of HTTP for an option', () => {
    expect(() => createGuard(idempotency, { scope, serializer: {} } as HttpOptions<object>)).toThrow('serializer')
  })

  it('asks for what createIdempotency gives', () => {
    expect(() => createGuard({} as typeof idempotency, { scope })).toThrow(IdempotencyInvalidOptionError)
  })

  it('takes every option, and any policy of the core', () => {
    const options: HttpOptions<object> = {
      scope: unscoped,
      operation: 'charge',
      key: () => 'k',
      syntax: 'strict',
      methods: ['delete'],
      required: false,
      fingerprint: { omit: ['trace'] },
      acceptFingerprints: [{ omit: [] }, { pick: [] }, () => null],
      keyFormat: 'uuid',
      maxRequestBytes: 0,
      maxResponseBytes: 10,
      record: 'all',
      stream: false,
      maxRetryAfter: '5s',
      docs: 'https://example.com/idempotency',
      lease: '10s',
      retention: '7d',
      onInProgress: { wait: '1s' },
    }
    const guard = createGuard(idempotency, options)
    expect(['POST', 'PATCH', 'DELETE', 'GET', 'PUT'].map((method) => guard.covers(method))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
    expect(guard.covers('PUT', () => 'PUT')).toBe(true)
    expect(guard.covers('HEAD', () => 'HEAD')).toBe(false)
    expect(guard.covers('GET', () => 'PUT')).toBe(false)
  })
})
