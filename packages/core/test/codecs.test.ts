import { randomBytes } from 'node:crypto'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { type Codec, compressed, createIdempotency, encrypted, type Serializer, unscoped } from '../src/index.ts'
import type { RecordStore } from '../src/store.ts'

const call = { operation: 'charge', scope: unscoped, key: 'k', payload: { card: '4242-4242' } } as const
const context = { key: 'n.charge.00', kind: 'value', fingerprint: 'f', header: 'value:json' } as const
const key = () => new Uint8Array(randomBytes(32))

afterEach(() => vi.unstubAllGlobals())

/** Web Crypto instead of node:crypto, as where there is no Node. */
function withoutNode(): void {
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
}

async function roundTrip(codec: Codec, bytes: Uint8Array): Promise<Uint8Array> {
  return codec.decode(await codec.encode(bytes, context), context)
}

test('any bytes come back, compressed and encrypted', async () => {
  const codecs = [compressed(), compressed({ minBytes: 0 }), encrypted({ keys: { a: key() } })]
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), fc.constantFrom(...codecs), async (bytes, codec) => {
      expect(await roundTrip(codec, bytes)).toEqual(bytes)
    }),
  )
})

test('what repeats becomes smaller, what does not stays as it is', async () => {
  const text = new TextEncoder().encode('the same again, '.repeat(1000))
  expect((await compressed().encode(text, context)).length).toBeLessThan(text.length / 10)
  const noise = new Uint8Array(randomBytes(5000))
  expect((await compressed().encode(noise, context)).length).toBe(noise.length + 1)
})

test('a record that would unpack to more than the limit is refused', async () => {
  const packed = await compressed().encode(new Uint8Array(1_000_000), context)
  await expect(compressed({ maxBytes: 999_999 }).decode(packed, context)).rejects.toThrow(/999999/)
})

test('node:crypto and Web Crypto read each other', async () => {
  const keys = { a: key() }
  const bytes = new Uint8Array([1, 2, 3])
  const byNode = encrypted({ keys })
  withoutNode()
  const byWeb = encrypted({ keys })
  expect(await byWeb.decode(await byNode.encode(bytes, context), context)).toEqual(bytes)
  expect(await byNode.decode(await byWeb.encode(bytes, context), context)).toEqual(bytes)
})

test.each([
  ['another record', { ...context, key: 'n.charge.01' }],
  ['a failure relabelled as a value', { ...context, kind: 'failure' as const }],
  ['another payload', { ...context, fingerprint: 'g' }],
  ['another header', { ...context, header: 'value:http' }],
])('nothing decrypts for %s, by Node or by the web', async (_, elsewhere) => {
  for (const prepare of [() => {}, withoutNode]) {
    prepare()
    const codec = encrypted({ keys: { a: key() } })
    const sealed = await codec.encode(new Uint8Array([1]), context)
    await expect(Promise.resolve().then(() => codec.decode(sealed, elsewhere))).rejects.toThrow()
  }
})

test('keys rotate: old records stay readable while their key is there', async () => {
  const [old, fresh] = [key(), key()]
  const sealed = await encrypted({ keys: { old } }).encode(new Uint8Array([7]), context)
  expect(await encrypted({ keys: { old, fresh } }).decode(sealed, context)).toEqual(new Uint8Array([7]))
  expect(() => encrypted({ keys: { fresh } }).decode(sealed, context)).toThrow(/'old'/)
  const rotated = await encrypted({ keys: { old, fresh } }).encode(new Uint8Array([7]), context)
  expect(new TextDecoder().decode(rotated.subarray(1, 6))).toBe('fresh')
})

test.each([
  { keys: {} },
  { keys: { a: new Uint8Array(16) } },
  { keys: { a: key() }, current: 'b' },
  { keys: { '': key() } },
])('encrypted(%o) is refused', (options) => {
  expect(() => encrypted(options)).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION' }))
})

/** Everything that a store is given, as text. */
function spy(store: RecordStore) {
  const seen: string[] = []
  const note = (value: unknown) =>
    seen.push(
      JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? Buffer.from(part).toString('latin1') : part)),
    )
  const { begin, transition, get, list, capabilities } = store
  return {
    seen,
    store: {
      capabilities,
      get,
      ...(list && { list }),
      begin: (name: string, claim: Parameters<typeof begin>[1]) => {
        note([name, claim])
        return begin(name, claim)
      },
      transition: (name: string, token: number, change: Parameters<typeof transition>[2]) => {
        note([name, token, change])
        return transition(name, token, change)
      },
    },
  }
}

test.each([4, 8, 12, 13, 14, 15])('a tag of %i bytes is refused: a short one can be guessed', async (length) => {
  const keys = { a: key() }
  const codec = encrypted({ keys })
  const sealed = await codec.encode(new Uint8Array(), context)
  // without a value, only the tag is left: Node would take its first bytes for one
  const short = sealed.subarray(0, sealed.length - (16 - length))
  await expect((async () => codec.decode(short, context))()).rejects.toThrow()
  expect(await codec.decode(sealed, context)).toEqual(new Uint8Array())
})

test.each([0, 1_000_000])(
  'what `compressed` could not read back is told as too large (minBytes %i)',
  async (minBytes) => {
    const codecs = [compressed({ minBytes, maxBytes: 1000 })]
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n', codecs })
    const handler = vi.fn(() => 'x'.repeat(5000))
    expect(await idempotency.run(call, handler)).toMatchObject({ value: 'x'.repeat(5000), recorded: true })
    await expect(idempotency.run(call, handler)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_NOT_REPLAYABLE',
      reason: 'too-large',
    })
    expect(handler).toHaveBeenCalledOnce()
  },
)

test('an instance with encryption gives no plaintext to its store, and replays all the same', async () => {
  const { seen, store } = spy(memoryStore())
  const idempotency = createIdempotency({
    store,
    namespace: 'n',
    secret: 'sixteen bytes of secret',
    codecs: [compressed({ minBytes: 0 }), encrypted({ keys: { a: key() } })],
    storeRequest: 'encrypted',
    onFailure: 'store',
  })
  const handler = vi.fn(async ({ step }: { step<T>(name: string, fn: () => T): Promise<T> }) => {
    await step('s', () => 'step-result')
    return { receipt: 'receipt-of-4242-4242' }
  })
  const first = await idempotency.run(call, handler)
  expect(await idempotency.run(call, handler)).toMatchObject({ value: first.value, replayed: true })
  await idempotency.run({ ...call, key: 'f' }, () => Promise.reject(new Error('declined 4242-4242'))).catch(() => {})
  expect(handler).toHaveBeenCalledOnce()
  expect(seen.length).toBeGreaterThanOrEqual(5)
  for (const text of seen) expect(text).not.toMatch(/4242-4242|receipt|declined|step-result/)
})

test('a wrong key is a typed error, and never a second execution', async () => {
  const store = memoryStore()
  const open = (keys: Record<string, Uint8Array>) =>
    createIdempotency({ store, namespace: 'n', secret: 'sixteen bytes of secret', codecs: [encrypted({ keys })] })
  await open({ a: key() }).run(call, () => 1)
  const handler = vi.fn()
  await expect(open({ a: key() }).run(call, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
  await expect(open({ b: key() }).run(call, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
  expect(handler).not.toHaveBeenCalled()
})

test('encryption without a secret is refused', () => {
  const codecs = [encrypted({ keys: { a: key() } })]
  expect(() => createIdempotency({ store: memoryStore(), namespace: 'n', codecs })).toThrow(/secret/)
})

test('a codec may use its buffer again: the record keeps the bytes of its own value', async () => {
  const buffer = new Uint8Array(64)
  const reusing: Codec = {
    id: 'reusing',
    encode(bytes) {
      buffer.set(bytes)
      return buffer.subarray(0, bytes.length)
    },
    decode: (bytes) => bytes,
  }
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop', codecs: [reusing] })
  const pay = (key: string) => idempotency.run({ ...call, key }, () => `paid ${key}`)
  await pay('k1')
  await pay('k2')
  expect([await pay('k1'), await pay('k2')]).toMatchObject([
    { value: 'paid k1', replayed: true },
    { value: 'paid k2', replayed: true },
  ])
})

test('only where nobody but the core decodes the bytes of a reply, a store may give its own', async () => {
  const claims: (boolean | undefined)[] = []
  const store = memoryStore()
  const begin: typeof store.begin = (key, claim) => {
    claims.push(claim.readOnly)
    return store.begin(key, claim)
  }
  const options = { store: { ...store, begin }, namespace: 'n' }
  const own: Serializer = { id: 'own', serialize: () => new Uint8Array(), deserialize: (bytes) => bytes }
  await createIdempotency(options).run(call, () => 1)
  await createIdempotency({ ...options, codecs: [compressed()] }).run(call, () => 1)
  await createIdempotency({ ...options, serializer: own }).run({ ...call, key: 'other' }, () => 1)
  expect(claims).toEqual([true, false, false])
})
