/** The default serializer: JSON text in UTF-8. */
import type { Serializer } from '../api/serialization.ts'
import { hidesState, isInvalidDate } from '../base/hidden-state.ts'

export const utf8 = new TextEncoder()

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Serializes to JSON text in UTF-8. Keeps `undefined`. Refuses what JSON cannot hold (BigInt, a cycle) and what it would
 * lose without a word: a Map, a Set, an Error, private members, an invalid date.
 *
 * @example
 * import { createIdempotency, json } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop', serializer: json() })
 */
export function json(): Serializer {
  const serializer: Serializer = {
    id: 'json',
    serialize: (value) => utf8.encode(toJson(value)),
    deserialize: (bytes) => fromJson(strictUtf8.decode(bytes)),
  }
  own.add(serializer)
  return serializer
}

const own = new WeakSet<Serializer>()

/** Tells whether `json()` made this serializer: its text can be taken in place of its bytes, and it keeps no bytes. */
export function writesJson(serializer: Serializer): boolean {
  return own.has(serializer)
}

/**
 * Returns a value as JSON text; empty for `undefined`.
 *
 * @throws TypeError when JSON cannot hold the value, or when the text would not show all of it
 */
export function toJson(value: unknown): string {
  if (value === undefined) return ''
  const text = stringify(value)
  requireVisible(value, '')
  return text
}

/** A value as JSON text, and as the text is parsed to. */
export interface Replayed {
  readonly text: string
  /** A copy, which shares nothing with the value. */
  readonly value: unknown
}

/** @throws TypeError when JSON cannot hold the value, or when the text would not show all of it */
export function throughJson(value: unknown): Replayed {
  if (value === undefined) return { text: '', value }
  const text = stringify(value)
  const copy = copyOfPlain(value)
  if (copy !== NOT_PLAIN) return { text, value: copy }
  requireVisible(value, '')
  return { text, value: fromJson(text) }
}

export function fromJson(text: string): unknown {
  return text === '' ? undefined : JSON.parse(text)
}

/**
 * The JSON text of a value that JSON can hold.
 *
 * @throws TypeError when it cannot, or when the text would not show all of the value
 */
export function jsonText(value: unknown): string {
  if (value === undefined) throw new TypeError('JSON cannot hold a undefined')
  return toJson(value)
}

/** Refuses cycles and what has no end, so that whatever follows ends too. */
function stringify(value: unknown): string {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`JSON cannot hold a ${typeof value}`)
  return text
}

const NOT_PLAIN: unique symbol = Symbol('not plain JSON')

/** Returns what the JSON text of a value is parsed to, without a second pass of JSON; `NOT_PLAIN` where it may differ. */
function copyOfPlain(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : NOT_PLAIN
    case 'object':
      if (value === null) return value
      if ('toJSON' in value || Object.getOwnPropertySymbols(value).length > 0) return NOT_PLAIN
      return Array.isArray(value) ? copyOfArray(value) : copyOfObject(value)
    default:
      return NOT_PLAIN
  }
}

function copyOfArray(items: readonly unknown[]): unknown {
  if (Object.getPrototypeOf(items) !== Array.prototype) return NOT_PLAIN
  // a hole has no name, and whatever else has one is lost; `length` is a name too
  if (Object.getOwnPropertyNames(items).length !== items.length + 1) return NOT_PLAIN
  const copy: unknown[] = []
  for (let index = 0; index < items.length; index++) {
    const item = copyOfMember(items, index)
    if (item === NOT_PLAIN) return NOT_PLAIN
    copy.push(item)
  }
  return copy
}

function copyOfObject(value: object): unknown {
  if (Object.getPrototypeOf(value) !== Object.prototype) return NOT_PLAIN
  const copy: Record<string, unknown> = {}
  for (const name of Object.getOwnPropertyNames(value)) {
    // assigned, it would be a prototype
    const member = name === '__proto__' ? NOT_PLAIN : copyOfMember(value, name)
    if (member === NOT_PLAIN) return NOT_PLAIN
    copy[name] = member
  }
  return copy
}

/** An accessor may give something else the next time, and a hidden member is lost. A proxy shows its own value by reading. */
function copyOfMember<Holder extends object>(holder: Holder, name: string | number): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(holder, name)
  if (descriptor?.enumerable !== true || !('value' in descriptor)) return NOT_PLAIN
  return copyOfPlain(holder[name as keyof Holder])
}

function requireVisible(value: unknown, member: string): void {
  if (typeof value !== 'object' || value === null) return
  const json: unknown = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON(member) : value
  if (json !== value) {
    if (isInvalidDate(value)) throw new TypeError(`${place(member)}JSON cannot hold an invalid date`)
    requireVisible(json, member)
    return
  }
  if (hidesState(value)) {
    throw new TypeError(`${place(member)}JSON cannot see what a ${value.constructor?.name || 'nameless class'} holds`)
  }
  for (const [name, item] of Object.entries(value)) requireVisible(item, name)
}

function place(member: string): string {
  return member && `'${member}': `
}
