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
    serialize: (value) => utf8.encode(toJson(value).text),
    deserialize: (bytes) => fromJson(strictUtf8.decode(bytes)),
  }
  own.add(serializer)
  return serializer
}

const own = new WeakSet<Serializer>()

/** Tells whether `json()` made this serializer, so that its text can be taken in place of its bytes. */
export function writesJson(serializer: Serializer): boolean {
  return own.has(serializer)
}

/** A value as JSON text; empty for `undefined`. */
export interface Json {
  readonly text: string
  /** The value equals what the text is parsed to, and has nothing that the text has not. */
  readonly isExact: boolean
}

/** @throws TypeError when JSON cannot hold the value, or when the text would not show all of it */
export function toJson(value: unknown): Json {
  if (value === undefined) return { text: '', isExact: true }
  // first, since it refuses cycles and what has no end
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`JSON cannot hold a ${typeof value}`)
  const isExact = isPlainJson(value)
  if (!isExact) requireVisible(value, '')
  return { text, isExact }
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
  return toJson(value).text
}

function isPlainJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      if (value === null) return true
      if ('toJSON' in value || Object.getOwnPropertySymbols(value).length > 0) return false
      return Array.isArray(value) ? isPlainArray(value) : isPlainObject(value)
    default:
      return false
  }
}

function isPlainArray(items: readonly unknown[]): boolean {
  if (Object.getPrototypeOf(items) !== Array.prototype) return false
  // a hole has no name, and whatever else has one is lost; `length` is a name too
  if (Object.getOwnPropertyNames(items).length !== items.length + 1) return false
  for (let index = 0; index < items.length; index++) if (!isPlainMember(items, index)) return false
  return true
}

function isPlainObject(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  const names = Object.getOwnPropertyNames(value)
  for (let index = 0; index < names.length; index++) if (!isPlainMember(value, names[index] ?? '')) return false
  return true
}

/** An accessor may give something else the next time, and a hidden member is lost. */
function isPlainMember(holder: object, name: string | number): boolean {
  const descriptor = Object.getOwnPropertyDescriptor(holder, name)
  return descriptor?.enumerable === true && 'value' in descriptor && isPlainJson(descriptor.value)
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
    throw new TypeError(`${place(member)}JSON cannot see what a ${value.constructor?.name ?? 'object'} holds`)
  }
  for (const [name, item] of Object.entries(value)) requireVisible(item, name)
}

function place(member: string): string {
  return member && `'${member}': `
}
