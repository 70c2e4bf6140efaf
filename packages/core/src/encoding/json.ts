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
  return {
    id: 'json',
    serialize: (value) => utf8.encode(value === undefined ? '' : jsonText(value)),
    deserialize: (bytes) => (bytes.length === 0 ? undefined : JSON.parse(strictUtf8.decode(bytes))),
  }
}

/**
 * The JSON text of a value that JSON can hold.
 *
 * @throws TypeError when it cannot, or when the text would not show all of the value
 */
export function jsonText(value: unknown): string {
  // first, since it refuses cycles and what has no end
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`JSON cannot hold a ${typeof value}`)
  requireVisible(value, '')
  return text
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
