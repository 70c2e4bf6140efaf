/**
 * Turns values into the bytes that a store keeps: a serializer, then codecs (bytes to bytes), inside a versioned envelope.
 *
 * An envelope is the byte 1 (its version), the text `<kind>:<serializer>,<codec>,…`, a line feed, and the encoded bytes.
 * It names what made it, so that a record stays readable when the configuration changes.
 */

import type { Codec, Kind, Serializer } from '../api/serialization.ts'
import { concat } from '../base/bytes.ts'
import { type Flow, type MaybePromise, runFlow, settled } from '../base/maybe-promise.ts'
import { remembered } from '../base/remembered.ts'
import { IdempotencyUndecodableError, isIdempotencyError } from '../errors.ts'
import { json, toJson, utf8, writesJson } from './json.ts'

/** The record that the bytes belong to. */
export interface Where {
  readonly key: string
  readonly fingerprint: string
}

/** A serializer and codecs, with the envelope around them. */
export interface Pipeline {
  readonly serializer: Serializer
  /** Only the core sees the bytes that it decodes, and changes none of them. */
  readonly readsOnly: boolean
  /** The most bytes of an envelope that the store takes. */
  readonly maxValueBytes: number
  /** The operations that were warned of results which are not kept. */
  readonly warned: Set<string>
  /** @param plain the bytes that the serializer made of the value, or its JSON text */
  encodeValue(plain: Uint8Array | string, where: Where): MaybePromise<Uint8Array>
  /** Encodes anything but a value of a handler, which is always JSON. */
  encodeJson(kind: Exclude<Kind, 'value'>, value: unknown, where: Where): MaybePromise<Uint8Array>
  /** @throws {@link IdempotencyUndecodableError} when the bytes cannot be read here */
  decode(envelope: Uint8Array, where: Where): MaybePromise<Decoded>
}

export interface Decoded {
  readonly kind: Kind
  readonly value: unknown
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

  const codecIds = codecs.map(({ id }) => `,${id}`).join('')

  function encode(kind: Kind, first: Serializer, plain: Uint8Array | string, where: Where): MaybePromise<Uint8Array> {
    const header = `${kind}:${first.id}${codecIds}`
    return codecs.length === 0 ? seal(header, plain) : runFlow(encodeThrough(kind, header, plain, where))
  }

  function* encodeThrough(
    kind: Kind,
    header: string,
    plain: Uint8Array | string,
    { key, fingerprint }: Where,
  ): Flow<Uint8Array> {
    let bytes = typeof plain === 'string' ? utf8.encode(plain) : plain
    for (const codec of codecs) bytes = yield* settled(codec.encode(bytes, { key, fingerprint, kind, header }))
    return seal(header, bytes)
  }

  function* decodeThrough(envelope: Envelope, ids: readonly string[], { key, fingerprint }: Where): Flow<Decoded> {
    const { header, kind } = envelope
    let { bytes } = envelope
    try {
      for (const id of ids.toReversed()) {
        bytes = yield* settled(find(known, id).decode(bytes, { key, fingerprint, kind, header }))
      }
    } catch (error) {
      throw unreadable(header, error)
    }
    return deserialize(envelope, bytes)
  }

  function deserialize({ header, kind, ids: [first] }: Envelope, bytes: Uint8Array): Decoded {
    try {
      return { kind, value: find(kind === 'value' ? serializers : jsonOnly, first).deserialize(bytes) }
    } catch (error) {
      throw unreadable(header, error)
    }
  }

  return {
    serializer,
    readsOnly: codecs.length === 0 && writesJson(serializer),
    maxValueBytes,
    warned: new Set(),
    encodeValue: (plain, where) => encode('value', serializer, plain, where),
    encodeJson: (kind, value, where) => encode(kind, jsonSerializer, toJson(value), where),
    decode(bytes, where) {
      const envelope = open(bytes)
      const { header, ids } = envelope
      requireEncrypted(header, ids)
      return ids.length === 1
        ? deserialize(envelope, envelope.bytes)
        : runFlow(decodeThrough(envelope, ids.slice(1), where))
    },
  }
}

function unreadable(header: string, error: unknown): unknown {
  if (isIdempotencyError(error, 'IDEMPOTENCY_UNDECODABLE')) return error
  return new IdempotencyUndecodableError(`A record (${header}) cannot be read: ${String(error)}`, { cause: error })
}

function find<T>(known: ReadonlyMap<string, T>, id: string | undefined): T {
  const found = id === undefined ? undefined : known.get(id)
  if (found) return found
  throw new IdempotencyUndecodableError(
    `A record was written with '${id}', which this instance does not have (it has ${[...known.keys()].join(', ') || 'none'}).`,
  )
}

/** Reused for what is sealed, so that one array is made instead of three. */
const scratch = new Uint8Array(16_384)

const prefixOf = remembered((header) => concat([Uint8Array.of(VERSION), utf8.encode(header), Uint8Array.of(LINE_FEED)]))

function seal(header: string, plain: Uint8Array | string): Uint8Array {
  const prefix = prefixOf(header)
  if (typeof plain !== 'string') return concat([prefix, plain])
  // UTF-8 takes at most three bytes for a unit of UTF-16
  if (prefix.length + plain.length * 3 > scratch.length) return concat([prefix, utf8.encode(plain)])
  scratch.set(prefix)
  const { written } = utf8.encodeInto(plain, scratch.subarray(prefix.length))
  return scratch.slice(0, prefix.length + written)
}

interface Header {
  readonly header: string
  readonly kind: Kind
  readonly ids: readonly string[]
}

interface Envelope extends Header {
  readonly bytes: Uint8Array
}

const headerPattern =
  /^(value|unreplayable|failure|done|reference|checkpoint|request):([a-z0-9-]{1,16}(?:,[a-z0-9-]{1,16})*)$/

const readHeader = remembered((header): Header => {
  const match = headerPattern.exec(header)
  if (!match) throw new IdempotencyUndecodableError('A record does not begin with an envelope of this library.')
  return { header, kind: match[1] as Kind, ids: (match[2] as string).split(',') }
})

/** Returns the kind of an envelope, and the id of the serializer that wrote it. */
export function formOf(envelope: Uint8Array): { readonly kind: Kind; readonly serializer: string | undefined } {
  const { kind, ids } = open(envelope)
  return { kind, serializer: ids[0] }
}

function open(envelope: Uint8Array): Envelope {
  if (envelope[0] !== VERSION) {
    throw new IdempotencyUndecodableError(
      `A record has envelope version ${envelope[0]}; this version of the library reads ${VERSION}.`,
    )
  }
  const end = envelope.indexOf(LINE_FEED, 1)
  if (!last || end !== last.end || !startsWith(envelope, last.prefix)) {
    const text = end < 0 ? '' : String.fromCharCode(...envelope.subarray(1, Math.min(end, 300)))
    last = { end, prefix: envelope.slice(0, end), ...readHeader(text) }
  }
  const { header, kind, ids } = last
  return { header, kind, ids, bytes: envelope.subarray(end + 1) }
}

/** The header that was read last, with its bytes: nearly all records have the same, and need no text of it. */
let last: (Header & { readonly end: number; readonly prefix: Uint8Array }) | undefined

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index++) if (bytes[index] !== prefix[index]) return false
  return true
}
