/**
 * Turns values into the bytes that a store keeps: a serializer, then codecs (bytes to bytes), inside a versioned envelope.
 *
 * An envelope is the byte 1 (its version), the text `<kind>:<serializer>,<codec>,…`, a line feed, and the encoded bytes.
 * It names what made it, so that a record stays readable when the configuration changes.
 */

import type { Codec, Kind, Serializer } from '../api/serialization.ts'
import { concat } from '../base/bytes.ts'
import { type Flow, type MaybePromise, runFlow, settled } from '../base/maybe-promise.ts'
import { IdempotencyUndecodableError, isIdempotencyError } from '../errors.ts'
import { json, utf8 } from './json.ts'

/** The record that the bytes belong to. */
export interface Where {
  readonly key: string
  readonly fingerprint: string
}

/** A serializer and codecs, with the envelope around them. */
export interface Pipeline {
  readonly serializer: Serializer
  /** The most bytes of an envelope that the store takes. */
  readonly maxValueBytes: number
  /** The operations that were warned of results which are not kept. */
  readonly warned: Set<string>
  /** @param plain the bytes that the serializer made of the value */
  encodeValue(plain: Uint8Array, where: Where): MaybePromise<Uint8Array>
  /** Encodes anything but a value of a handler, which is always JSON. */
  encodeJson(kind: Exclude<Kind, 'value'>, value: unknown, where: Where): MaybePromise<Uint8Array>
  /** @throws {@link IdempotencyUndecodableError} when the bytes cannot be read here */
  decode(envelope: Uint8Array, where: Where): Promise<{ readonly kind: Kind; readonly value: unknown }>
}

const VERSION = 1
const LINE_FEED = 10
const jsonSerializer = json()

export function createPipeline(
  serializer: Serializer,
  codecs: readonly Codec[],
  maxValueBytes = Number.POSITIVE_INFINITY,
): Pipeline {
  const serializers = new Map([jsonSerializer, serializer].map((each) => [each.id, each]))
  const jsonOnly = new Map([[jsonSerializer.id, jsonSerializer]])
  const known = new Map(codecs.map((each) => [each.id, each]))
  const encrypting = new Set(codecs.filter(({ encrypts }) => encrypts).map(({ id }) => id))
  const acceptsPlaintext = codecs.every(({ encrypts, acceptsPlaintext = false }) => !encrypts || acceptsPlaintext)

  /** Refuses plain records, since anybody who can write to the store could plant one. */
  function requireEncrypted(header: string, ids: readonly string[]): void {
    if (acceptsPlaintext || ids.some((id) => encrypting.has(id))) return
    throw new IdempotencyUndecodableError(
      `A record (${header}) is not encrypted, and this instance encrypts: it is not believed. Where it is older than the ` +
        'encryption, read it with `encrypted({ keys, acceptPlaintext: true })` until it has expired.',
    )
  }

  function* encode(kind: Kind, first: Serializer, plain: Uint8Array, { key, fingerprint }: Where): Flow<Uint8Array> {
    const header = `${kind}:${[first, ...codecs].map((each) => each.id).join(',')}`
    let bytes = plain
    for (const codec of codecs) bytes = yield* settled(codec.encode(bytes, { key, fingerprint, kind, header }))
    return seal(header, bytes)
  }

  return {
    serializer,
    maxValueBytes,
    warned: new Set(),
    encodeValue: (plain, where) => runFlow(encode('value', serializer, plain, where)),
    encodeJson: (kind, value, where) => runFlow(encode(kind, jsonSerializer, jsonSerializer.serialize(value), where)),
    async decode(envelope, { key, fingerprint }) {
      const { header, kind, ids, bytes: sealed } = open(envelope)
      requireEncrypted(header, ids)
      const [first, ...rest] = ids
      try {
        let bytes = sealed
        for (const id of rest.reverse()) bytes = await find(known, id).decode(bytes, { key, fingerprint, kind, header })
        return { kind, value: find(kind === 'value' ? serializers : jsonOnly, first).deserialize(bytes) }
      } catch (error) {
        if (isIdempotencyError(error, 'IDEMPOTENCY_UNDECODABLE')) throw error
        throw new IdempotencyUndecodableError(`A record (${header}) cannot be read: ${String(error)}`, { cause: error })
      }
    },
  }
}

function find<T>(known: ReadonlyMap<string, T>, id: string | undefined): T {
  const found = id === undefined ? undefined : known.get(id)
  if (found) return found
  throw new IdempotencyUndecodableError(
    `A record was written with '${id}', which this instance does not have (it has ${[...known.keys()].join(', ') || 'none'}).`,
  )
}

function seal(header: string, bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(VERSION), utf8.encode(header), Uint8Array.of(LINE_FEED), bytes])
}

const headerPattern =
  /^(value|unreplayable|failure|done|reference|checkpoint|request):([a-z0-9-]{1,16}(?:,[a-z0-9-]{1,16})*)$/

function open(envelope: Uint8Array): { header: string; kind: Kind; ids: string[]; bytes: Uint8Array } {
  if (envelope[0] !== VERSION) {
    throw new IdempotencyUndecodableError(
      `A record has envelope version ${envelope[0]}; this version of the library reads ${VERSION}.`,
    )
  }
  const end = envelope.indexOf(LINE_FEED, 1)
  const header = end < 0 ? '' : String.fromCharCode(...envelope.subarray(1, Math.min(end, 300)))
  const match = headerPattern.exec(header)
  if (!match) throw new IdempotencyUndecodableError('A record does not begin with an envelope of this library.')
  return { header, kind: match[1] as Kind, ids: (match[2] as string).split(','), bytes: envelope.subarray(end + 1) }
}
