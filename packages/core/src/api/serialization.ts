/** Extension points for encoding: serializers, codecs and error types. */
import type { StoredFailure } from '../errors.ts'

/** The kind of value that a record's bytes hold. */
export type Kind = 'value' | 'unreplayable' | 'failure' | 'done' | 'reference' | 'checkpoint' | 'request'

/** Turns values into bytes and back. It must refuse a value that it cannot keep, with an error. */
export interface Serializer {
  /** Stands in each record; `[a-z0-9-]{1,16}`. */
  readonly id: string
  serialize(value: unknown): Uint8Array
  deserialize(bytes: Uint8Array): unknown
  /** `deserialize` gives back all that `serialize` takes, so that the first caller can have its value as it is. @default false */
  readonly exact?: boolean
  /** Returns a small JSON value that is kept instead of one that is too large: the `summary` of `IdempotencyNotReplayableError`. */
  summarize?(value: unknown): unknown
}

/** The place of bytes: a codec may bind them to it, so that they mean nothing anywhere else. */
export interface CodecContext {
  readonly key: string
  readonly kind: Kind
  readonly fingerprint: string
  /** The envelope's header, as it stands before the bytes. */
  readonly header: string
}

/** Turns bytes into bytes: compression, encryption. */
export interface Codec {
  /** True if the codec encrypts: records that no codec encrypted are then refused. */
  readonly encrypts?: boolean
  /** With `encrypts`: reads what nothing encrypted all the same. @default false */
  readonly acceptsPlaintext?: boolean
  /** Stands in each record; `[a-z0-9-]{1,16}`. */
  readonly id: string
  encode(bytes: Uint8Array, context: CodecContext): Uint8Array | Promise<Uint8Array>
  decode(bytes: Uint8Array, context: CodecContext): Uint8Array | Promise<Uint8Array>
}

/** A class of errors that stored failures are rethrown as. Make one with `errorType`. */
export interface ErrorType {
  /** The name in the record; as stable as a table name. */
  readonly name: string
  matches(error: unknown): boolean
  toData(error: unknown): unknown
  fromData(failure: StoredFailure): Error
}
