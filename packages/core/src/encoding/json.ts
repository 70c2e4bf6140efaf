/** The default serializer: JSON text in UTF-8. */
import type { Serializer } from '../api/serialization.ts'

export const utf8 = new TextEncoder()

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** JSON text in UTF-8. `undefined` is kept as such; a value that JSON cannot hold (BigInt, a cycle) is refused. */
export function json(): Serializer {
  return {
    id: 'json',
    serialize: (value) => utf8.encode(value === undefined ? '' : jsonText(value)),
    deserialize: (bytes) => (bytes.length === 0 ? undefined : JSON.parse(strictUtf8.decode(bytes))),
  }
}

function jsonText(value: unknown): string {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`JSON cannot hold a ${typeof value}`)
  return text
}
