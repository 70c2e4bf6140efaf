import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Codec, CodecContext, Serializer } from '../src/api/serialization.ts'
import { createPipeline, type Pipeline } from '../src/encoding/envelope.ts'
import { json } from '../src/encoding/json.ts'
import { IdempotencyUndecodableError } from '../src/errors.ts'

const where = { key: 'n.charge.0f', fingerprint: 'fp' }
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const reversed: Codec = {
  id: 'reversed',
  encode: (bytes) => bytes.toReversed(),
  decode: async (bytes) => bytes.toReversed(),
}

/** Puts the context before the bytes and refuses any other, as an encrypting codec does with its additional data. */
const bound: Codec = {
  id: 'bound',
  encode: async (bytes, context) => joined(contextBytes(context), bytes),
  decode(bytes, context) {
    const expected = contextBytes(context)
    if (textOf(bytes.subarray(0, expected.length)) !== textOf(expected)) throw new Error('not for this place')
    return bytes.subarray(expected.length)
  },
}
const contextBytes = ({ key, kind, fingerprint, header }: CodecContext) =>
  bytesOf(JSON.stringify([key, kind, fingerprint, header]))

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

const plainPipeline = createPipeline(json(), [])
const fullPipeline = createPipeline(json(), [reversed, bound])

async function encoded(pipeline = plainPipeline, value: unknown = { ok: true }): Promise<Uint8Array> {
  return pipeline.encodeValue(json().serialize(value), where)
}

describe('json()', () => {
  test('keeps every JSON value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(json().deserialize(json().serialize(JSON.parse(text)))).toEqual(JSON.parse(text))
      }),
    )
  })

  test('keeps falsy values apart', () => {
    for (const value of [null, undefined, false, 0, '', []]) {
      expect(json().deserialize(json().serialize(value))).toStrictEqual(value)
    }
  })

  test('keeps lone surrogates, a byte order mark, NUL and __proto__', () => {
    for (const text of ['\ud800', '\ufeffmark', '\0', '"'])
      expect(json().deserialize(json().serialize(text))).toBe(text)
    const kept = json().deserialize(json().serialize(JSON.parse('{"__proto__":{"admin":true}}')))
    expect(Object.keys(kept as object)).toEqual(['__proto__'])
    expect((kept as { admin?: true }).admin).toBeUndefined()
  })

  test.each([1n, { a: 1n }, () => 1, Symbol('s'), cycle()])('refuses %s', (value) => {
    expect(() => json().serialize(value)).toThrow(TypeError)
  })

  test('refuses bytes that are no UTF-8 or no JSON', () => {
    expect(() => json().deserialize(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(TypeError)
    expect(() => json().deserialize(bytesOf('{'))).toThrow(SyntaxError)
  })
})

describe('the envelope', () => {
  test('is the version, the header, a line feed and the bytes', async () => {
    expect(textOf(await encoded())).toBe('\u0001value:json\n{"ok":true}')
    expect(textOf(await createPipeline(json(), [reversed]).encodeJson('failure', 'no', where))).toBe(
      '\u0001failure:json,reversed\n"on"',
    )
  })

  test('gives back what was put in, through codecs that know where they are', async () => {
    const kinds = fc.constantFrom('value', 'unreplayable', 'failure')
    const anyWhere = fc.record({ key: fc.string(), fingerprint: fc.string() })
    const pipelines = fc.constantFrom(plainPipeline, fullPipeline)
    await fc.assert(
      fc.asyncProperty(kinds, fc.json(), anyWhere, pipelines, async (kind, text, place, pipeline) => {
        const envelope =
          kind === 'value'
            ? await pipeline.encodeValue(bytesOf(text), place)
            : await pipeline.encodeJson(kind, JSON.parse(text), place)
        expect(await pipeline.decode(envelope, place)).toEqual({ kind, value: JSON.parse(text) })
      }),
    )
  })

  test('a codec is told the same place and header on both ways', async () => {
    const told: CodecContext[] = []
    const tell = (bytes: Uint8Array, context: CodecContext) => {
      told.push(context)
      return bytes
    }
    const listening: Codec = {
      id: 'listening',
      encode: tell,
      decode: tell,
    }
    const pipeline = createPipeline(json(), [listening])
    await pipeline.decode(await encoded(pipeline), where)
    expect(told).toEqual(Array(2).fill({ ...where, kind: 'value', header: 'value:json,listening' }))
  })

  test('is read by an instance that has more codecs than wrote it', async () => {
    const changed = createPipeline(json(), [bound, reversed])
    expect(await changed.decode(await encoded(), where)).toEqual({ kind: 'value', value: { ok: true } })
    expect(await changed.decode(await encoded(fullPipeline), where)).toEqual({ kind: 'value', value: { ok: true } })
  })

  test('what is no value of the handler is JSON, whatever serializer the values have', async () => {
    const shouting: Serializer = {
      id: 'json',
      serialize: (value) => bytesOf(String(value).toUpperCase()),
      deserialize: (bytes) => textOf(bytes),
    }
    const pipeline = createPipeline(shouting, [])
    const failure = await pipeline.encodeJson('failure', { message: 'no' }, where)
    expect(await pipeline.decode(failure, where)).toEqual({ kind: 'failure', value: { message: 'no' } })
    expect(await plainPipeline.decode(failure, where)).toEqual({ kind: 'failure', value: { message: 'no' } })
    const value = await pipeline.encodeValue(shouting.serialize('yes'), where)
    expect(await pipeline.decode(value, where)).toEqual({ kind: 'value', value: 'YES' })
  })
})

/** Decodes as a caller does who waits, whether the pipeline throws at once or later. */
const decode = async (pipeline: Pipeline, ...given: Parameters<Pipeline['decode']>) => pipeline.decode(...given)

describe('what cannot be read is an IdempotencyUndecodableError that says why', () => {
  test.each<[string, string, RegExp]>([
    ['nothing', '', /version undefined; this version of the library reads 1/],
    ['a later version', '\u0002value:json\n1', /version 2/],
    ['bytes of something else', '{"ok":true}', /version 123/],
    ['a header without an end', '\u0001value:json', /does not begin with an envelope/],
    ['no header', '\u0001\n1', /does not begin with an envelope/],
    ['an unknown kind', '\u0001rumour:json\n1', /does not begin with an envelope/],
    [
      'an unknown serializer',
      '\u0001value:cbor\n1',
      /written with 'cbor', which this instance does not have \(it has json\)/,
    ],
    ['an unknown codec', '\u0001value:json,gzip\n1', /written with 'gzip', .* \(it has none\)/],
    ['a failure of a foreign serializer', '\u0001failure:cbor\n1', /written with 'cbor'/],
    ['a value that is cut off', '\u0001value:json\n{"ok":tr', /A record \(value:json\) cannot be read: SyntaxError/],
  ])('%s', async (_, envelope, message) => {
    const decoding = decode(plainPipeline, bytesOf(envelope), where)
    await expect(decoding).rejects.toThrow(IdempotencyUndecodableError)
    await expect(decoding).rejects.toThrow(message)
  })

  test('a codec that refuses is the cause', async () => {
    const decoding = decode(fullPipeline, await encoded(fullPipeline), { ...where, key: 'another record' })
    await expect(decoding).rejects.toThrow(IdempotencyUndecodableError)
    await expect(decoding).rejects.toMatchObject({ cause: { message: 'not for this place' } })
  })

  test.each(['another key', 'another fingerprint'])('a record that was moved under %s', async (moved) => {
    const elsewhere = moved === 'another key' ? { ...where, key: 'other' } : { ...where, fingerprint: 'other' }
    await expect(decode(fullPipeline, await encoded(fullPipeline), elsewhere)).rejects.toThrow(
      IdempotencyUndecodableError,
    )
  })

  test.each(['unreplayable', 'failure'])('a value that was relabelled as %s', async (kind) => {
    const pipeline = createPipeline(json(), [bound])
    const relabelled = bytesOf(textOf(await encoded(pipeline)).replace('value:', `${kind}:`))
    await expect(decode(pipeline, relabelled, where)).rejects.toThrow(IdempotencyUndecodableError)
  })

  test('damaged bytes are read as something or refused as IdempotencyUndecodableError, and nothing else is thrown', async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 })
    const bound = await encoded(fullPipeline, { text: 'some value', list: [1, 2, 3] })
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(), async (changes, cut) => {
        const damaged = new Uint8Array(bound.subarray(0, bound.length - (cut % 4)))
        for (const [at, change] of changes) {
          const index = at % damaged.length
          damaged[index] = (damaged[index] ?? 0) ^ change
        }
        const outcome = await decode(fullPipeline, damaged, where).catch((error) => error)
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(IdempotencyUndecodableError)
      }),
    )
  })

  test('any bytes at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        bytes[0] = 1
        await expect(decode(plainPipeline, bytes, where)).rejects.toThrow(IdempotencyUndecodableError)
      }),
    )
  })
})

function cycle(): object {
  const loop: { self?: object } = {}
  loop.self = loop
  return loop
}
