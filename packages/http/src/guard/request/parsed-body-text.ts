/** One text for each value that a parser may leave as a body. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { canonicalize, decimalText, type MaybePromise, plainBytes } from '@retryproof/core/internal'
import { sha256 } from '../../protocol/bytes.ts'

/**
 * The canonical JSON text of a value, in which what JSON has no form for stands by a name of its own: big numbers,
 * `undefined`, dates, maps, forms, files, bytes, and whatever says by `toJSON` what it is.
 *
 * @throws {@link IdempotencyInvalidOptionError} for what nobody can look into: class instances, streams, functions
 */
export function valueText(value: unknown): MaybePromise<string> {
  const bytes = plainBytes(value)
  // digits that a text was read with are marked in a plain value too
  return bytes ? unmarked(utf8.decode(bytes)) : textWithNames(value)
}

const utf8 = new TextDecoder()

async function textWithNames(value: unknown): Promise<string> {
  const contents = new Map<object, string>()
  for (;;) {
    const unread = new Set<Contents>()
    const text = canonicalize(value, (held, member, inner) => substitute(held, member, inner, contents, unread))
    if (unread.size === 0) return unmarked(text)
    for (const each of unread) contents.set(each, await digestOf(each))
  }
}

/** Stands between quotes in JSON and is taken out afterwards: no client can write it, since none knows it. */
let mark: string | undefined

/** JSON for a text that is to stand without quotes. */
function named(text: string): string {
  // not when the module is loaded: workers have no randomness by then
  mark ??= crypto.randomUUID()
  return mark + text + mark
}

/** A number as a JSON text that keeps its digits through JSON.parse. */
export function markDigits(digits: string): string {
  return `"${named(digits)}"`
}

export function unmarked(text: string): string {
  return mark === undefined ? text : text.replaceAll(`"${mark}`, '').replaceAll(`${mark}"`, '')
}

type Contents = Blob | ArrayBuffer | ArrayBufferView

function substitute(
  value: unknown,
  member: string,
  inner: (held: unknown) => unknown,
  contents: ReadonlyMap<object, string>,
  unread: Set<Contents>,
): unknown {
  switch (typeof value) {
    case 'string':
      // a lone surrogate, which JSON escapes
      return value
    case 'number':
    case 'undefined':
      return named(Object.is(value, -0) ? '-0' : `${value}`)
    case 'bigint':
      return named(decimalText(`${value}`))
    case 'object':
      if (value !== null) return substituteObject(value, member, inner, contents, unread)
  }
  throw opaque(typeof value, member)
}

function substituteObject(
  value: object,
  member: string,
  inner: (held: unknown) => unknown,
  contents: ReadonlyMap<object, string>,
  unread: Set<Contents>,
): unknown {
  const digits = digitsOf(value)
  if (digits !== undefined) return named(decimalText(digits))
  if (isContents(value)) {
    const content = contents.get(value)
    if (content === undefined) unread.add(value)
    const { name, type } = value as { readonly name?: unknown; readonly type?: unknown }
    return [named('bytes'), content ?? '', name ?? null, type ?? null]
  }
  const kind = kindOf(value)
  if (kind === 'Date') return [named(kind), (value as Date).toJSON()]
  if (ITERABLES.has(kind)) return [named(kind), inner([...(value as Iterable<unknown>)])]
  if (hasToJson(value)) return [named('object'), nameOf(value), inner(jsonOf(value, member))]
  throw opaque(nameOf(value), member)
}

const ITERABLES = new Set(['URLSearchParams', 'FormData', 'Headers', 'Map', 'Set'])

/** Number classes of parsers that lose no digits: lossless-json and json-bigint. */
function digitsOf(value: object): string | undefined {
  const number = value as {
    isLosslessNumber?: unknown
    value?: unknown
    _isBigNumber?: unknown
    toFixed?: () => string
  }
  if (number.isLosslessNumber === true && typeof number.value === 'string') return number.value
  return number._isBigNumber === true ? number.toFixed?.() : undefined
}

function isContents(value: object): value is Contents {
  return ArrayBuffer.isView(value) || ['Blob', 'File', 'ArrayBuffer', 'SharedArrayBuffer'].includes(kindOf(value))
}

async function digestOf(contents: Contents): Promise<string> {
  if (ArrayBuffer.isView(contents)) {
    return sha256(Uint8Array.from(new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength)))
  }
  return sha256(new Uint8Array('arrayBuffer' in contents ? await contents.arrayBuffer() : contents))
}

/** Returns the tag of a value: the same for objects of another realm or another copy of a library. */
export function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

export function nameOf(value: object): string {
  return (value.constructor as { readonly name?: string } | undefined)?.name ?? kindOf(value)
}

function hasToJson(value: object): value is { toJSON(member: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function jsonOf(value: { toJSON(member: string): unknown }, member: string): unknown {
  const json = value.toJSON(member)
  if (json === value) throw opaque(nameOf(value), member)
  return json
}

/** A parsed body, or a member of it, that may hold what nobody sees. */
export function opaque(kind: string, member: string): IdempotencyInvalidOptionError {
  return new IdempotencyInvalidOptionError(
    'fingerprint',
    `cannot look into the ${kind} that a parser left ${member ? `at '${member}'` : 'as the body'}: let idempotent() come before that parser, let the parser leave plain values, or name what counts, fingerprint: (request) => …`,
  )
}
