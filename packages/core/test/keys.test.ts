import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { type Reference, unscoped } from '../src/api/call.ts'
import { IdempotencyInvalidCallError, IdempotencyInvalidOptionError } from '../src/errors.ts'
import { derivedKeys } from '../src/keys/derived-keys.ts'
import { createDigest } from '../src/keys/digest.ts'
import { fingerprintOf } from '../src/keys/fingerprint.ts'
import { storageKey } from '../src/keys/storage-key.ts'

const digest = createDigest(undefined)
const keyed = createDigest('a secret of more than 16 bytes')
const web = (() => {
  vi.stubGlobal('process', undefined)
  const made = createDigest('a secret of more than 16 bytes')
  vi.unstubAllGlobals()
  return made
})()

const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).filter((s) => s.length <= 255)
const anyReference: fc.Arbitrary<Reference> = fc.record({
  operation: text(60),
  scope: fc.oneof(fc.constant(unscoped), text(20), fc.array(text(20), { minLength: 1, maxLength: 16 })),
  key: text(60),
})
const charge = { operation: 'charge', scope: 'user_42', key: 'k1' }

describe('storage keys', () => {
  test('slugs for eyes, then the digest', () => {
    expect(storageKey(digest, 'payments', charge)).toMatch(/^payments\.charge\.[0-9a-f]{64}$/)
    expect(storageKey(digest, 'Zahlungen (EU)', { ...charge, operation: 'POST /orders/:id/refunds' })).toMatch(
      /^zahlungen-eu\.post-orders-id-refunds\./,
    )
    expect(storageKey(digest, '支払い', { ...charge, operation: '...' })).toMatch(/^x\.x\./)
    expect(storageKey(digest, `${'a'.repeat(23)} b`, { ...charge, operation: 'b'.repeat(255) })).toMatch(
      /^a{23}\.b{40}\./,
    )
  })

  test('at most 131 characters of a-z 0-9 - and the two dots, whatever is said', () => {
    fc.assert(
      fc.property(text(255), anyReference, (namespace, reference) => {
        const key = storageKey(digest, namespace, reference)
        expect(key).toMatch(/^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?\.[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\.[0-9a-f]{64}$/)
        expect(String(key).length).toBeLessThanOrEqual(131)
      }),
    )
  })

  test('are the same for the same parts, and differ where a part does: no part runs into another', () => {
    // few and short texts, so that equal and nearly equal references come up
    const few = fc.string({ unit: fc.constantFrom('a', '.', '|', '\0'), minLength: 1, maxLength: 2 })
    const near = fc.record({
      namespace: few,
      operation: few,
      scope: fc.oneof(fc.constant(unscoped), fc.array(few, { minLength: 1, maxLength: 3 })),
      key: few,
    })
    const plain = ({ scope, ...rest }: { scope: Reference['scope'] }) =>
      JSON.stringify({ ...rest, scope: scope === unscoped ? [] : scope })
    fc.assert(
      fc.property(near, near, (one, other) => {
        const same = storageKey(digest, one.namespace, one) === storageKey(digest, other.namespace, other)
        expect(same).toBe(plain(one) === plain(other))
      }),
      { numRuns: 2000 },
    )
  })

  test('`unscoped` of another copy of the package is the same', () => {
    const other: Reference['scope'] = Symbol.for('retryproof.unscoped') as typeof unscoped
    expect(storageKey(digest, 'n', { ...charge, scope: other })).toBe(
      storageKey(digest, 'n', { ...charge, scope: unscoped }),
    )
  })

  test('a scope of one part is that part', () => {
    expect(storageKey(digest, 'n', { ...charge, scope: ['user_42'] })).toBe(storageKey(digest, 'n', charge))
  })

  test('upper and lower case differ, though their slugs do not', () => {
    const keys = ['charge', 'Charge'].map((operation) => storageKey(digest, 'n', { ...charge, operation }))
    expect(new Set(keys).size).toBe(2)
    expect(new Set(keys.map((key) => String(key).split('.')[1])).size).toBe(1)
  })

  test.each([new TypeError('no such day'), 'a text', undefined, Object.create(null)])(
    'a payload that throws %o when it is read is refused',
    (thrown) => {
      const fail = () => {
        throw thrown
      }
      for (const payload of [
        { order: { toJSON: fail } },
        Object.defineProperty({}, 'day', { get: fail, enumerable: true }),
      ]) {
        expect(() => fingerprintOf(digest, payload)).toThrow(IdempotencyInvalidCallError)
      }
    },
  )

  test('a secret keys them, and Web Crypto makes the same ones', async () => {
    expect(storageKey(keyed, 'n', charge)).not.toBe(storageKey(digest, 'n', charge))
    await fc.assert(
      fc.asyncProperty(text(255), anyReference, async (namespace, reference) => {
        expect(await storageKey(web, namespace, reference)).toBe(storageKey(keyed, namespace, reference))
      }),
    )
  })

  test.each<[string, object, string]>([
    ['no key', { key: undefined }, 'key: must be a text, got undefined'],
    ['a null key', { key: null }, 'key: must be a text, got null'],
    ['a number as the key', { key: 7 }, 'key: must be a text, got number'],
    ['an empty key', { key: '' }, 'key: must not be empty'],
    ['the text of a key that is missing', { key: 'undefined' }, "key: must not be 'undefined'"],
    ['the text of a scope that is missing', { scope: ['tenant', 'null'] }, "scope: must not be 'null'"],
    ['the text of an object as scope', { scope: '[object Object]' }, "scope: must not be '[object Object]'"],
    ['a key of 256 characters', { key: 'k'.repeat(256) }, 'key: must have at most 255 characters, got 256'],
    ['a key with a lone surrogate', { key: 'k\ud800' }, 'key: has a lone surrogate'],
    ['no operation', { operation: undefined }, 'operation: must be a text'],
    ['an empty operation', { operation: '' }, 'operation: must not be empty'],
    ['an operation of 256 characters', { operation: 'o'.repeat(256) }, 'operation: must have at most 255'],
    ['no scope', { scope: undefined }, 'scope: say whose key this is'],
    ['a null scope', { scope: null }, 'scope: say whose key this is'],
    ['an empty scope', { scope: '' }, 'scope: must not be empty'],
    ['a scope of no parts', { scope: [] }, 'scope: say whose key this is'],
    ['an empty part of the scope', { scope: ['tenant', ''] }, 'scope: must not be empty'],
    ['a missing part of the scope', { scope: ['tenant', undefined] }, 'scope: must be a text, got undefined'],
    ['a scope of 17 parts', { scope: Array(17).fill('s') }, 'scope: at most 16 parts'],
    ['another symbol as the scope', { scope: Symbol('unscoped') }, 'scope: say whose key this is'],
    ['an object as the scope', { scope: { tenant: 't' } }, 'in particular; got object'],
    ['the number of a user as the scope', { scope: 42 }, 'in particular; got number'],
  ])('%s is refused', (_, part, message) => {
    const make = () => storageKey(digest, 'n', { ...charge, ...part })
    expect(make).toThrow(IdempotencyInvalidCallError)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ field: Object.keys(part)[0] }))
  })

  test('255 characters are not too many', () => {
    const long = 'k'.repeat(255)
    expect(storageKey(digest, long, { operation: long, scope: Array(16).fill(long), key: long })).toHaveLength(130)
  })
})

describe('fingerprints', () => {
  test('bytes and text are taken as they are, anything else as canonical JSON', () => {
    const bytes = new TextEncoder().encode('{"a":1}')
    const kinds = [undefined, null, '{"a":1}', bytes, { a: 1 }].map((payload) => fingerprintOf(digest, payload))
    expect(new Set(kinds).size).toBe(5)
    expect(fingerprintOf(digest, { b: 2, a: 1 })).toBe(fingerprintOf(digest, { a: 1, b: 2 }))
    expect(fingerprintOf(digest, bytes.buffer)).toBe(fingerprintOf(digest, bytes))
    expect(fingerprintOf(digest, Buffer.from(bytes))).toBe(fingerprintOf(digest, bytes))
    expect(fingerprintOf(digest, new DataView(bytes.buffer, 1, 3))).toBe(fingerprintOf(digest, bytes.subarray(1, 4)))
  })

  test('a secret keys them, and Web Crypto makes the same ones', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.uint8Array(), fc.string()), async (payload) => {
        const fingerprint = fingerprintOf(keyed, payload)
        expect(fingerprint).not.toBe(fingerprintOf(digest, payload))
        expect(await fingerprintOf(web, payload)).toBe(fingerprint)
      }),
    )
  })

  test('payloads that differ have fingerprints that differ', () => {
    const anyPayload = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.uint8Array({ maxLength: 1 }), fc.constant(undefined))
    const plain = (payload: unknown) =>
      payload instanceof Uint8Array ? `bytes ${payload.join()}` : `${typeof payload} ${JSON.stringify(payload)}`
    fc.assert(
      fc.property(anyPayload, anyPayload, (one, other) => {
        fc.pre(typeof one !== 'object' || one === null || one instanceof Uint8Array)
        expect(fingerprintOf(digest, one) === fingerprintOf(digest, other)).toBe(plain(one) === plain(other))
      }),
    )
  })

  test.each<[string, unknown]>([
    ['a lone surrogate', 'a\ud800'],
    ['a BigInt', 1n],
    [
      'a cycle',
      (() => {
        const loop: unknown[] = []
        loop.push(loop)
        return loop
      })(),
    ],
  ])('%s is refused as a payload', (_, payload) => {
    expect(() => fingerprintOf(digest, payload)).toThrow(
      expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_CALL', field: 'payload' }),
    )
  })
})

describe('derived keys', () => {
  test('are the same for the same record and payload, and differ by key, payload and step', async () => {
    const few = fc.constantFrom('a', 'b')
    const call = fc.record({ key: few, fingerprint: few, step: fc.constantFrom('charge', 'mail', 'a-b', 'a') })
    await fc.assert(
      fc.asyncProperty(call, call, async (one, other) => {
        const [first, second] = await Promise.all(
          [one, other].map(async ({ key, fingerprint, step }) => (await derivedKeys(digest, key, fingerprint))(step)),
        )
        expect(first === second).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
    )
  })

  test('are these, for ever: a provider remembers them', () => {
    const keyFor = derivedKeys(digest, 'payments.charge.00', 'fingerprint')
    expect(keyFor('charge')).toBe('813d82fdd884dae550ebab62e5f3c74c')
    expect(keyFor('charge', { as: 'hex' })).toBe('813d82fdd884dae550ebab62e5f3c74c')
    expect(keyFor('charge', { as: 'uuid' })).toBe('813d82fd-d884-4ae5-90eb-ab62e5f3c74c')
    expect(derivedKeys(keyed, 'payments.charge.00', 'fingerprint')('charge')).toBe('e160789c6665fd7162256cd9d76d30e8')
    expect(derivedKeys(web, 'payments.charge.00', 'fingerprint')('charge')).toBe('e160789c6665fd7162256cd9d76d30e8')
  })

  test('have one length and form, and no two steps share a beginning', () => {
    const steps = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/)
    fc.assert(
      fc.property(steps, steps, (one, other) => {
        const keyFor = derivedKeys(digest, 'storage key', 'fingerprint')
        expect(keyFor(one)).toMatch(/^[0-9a-f]{32}$/)
        expect(keyFor(one, { as: 'uuid' })).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        )
        for (const as of ['hex', 'uuid'] as const)
          expect(keyFor(one, { as }).slice(0, 10) === keyFor(other, { as }).slice(0, 10)).toBe(one === other)
      }),
    )
  })

  test('another form is refused', () => {
    const keyFor = derivedKeys(digest, 'storage key', 'fingerprint')
    expect(() => keyFor('charge', { as: 'UUID' as 'uuid' })).toThrow("as: must be 'hex' or 'uuid', got 'UUID'")
  })

  test.each(['', 's'.repeat(65), 'two words', 'naïve', 'a/b', 7, undefined, null, 1n])(
    '%s is no step',
    async (step) => {
      const keyFor = await derivedKeys(digest, 'storage key', 'fingerprint')
      expect(() => keyFor(step as string)).toThrow(IdempotencyInvalidOptionError)
      expect(() => keyFor(step as string)).toThrow(/^step: must be 1 to 64 of/)
    },
  )
})
