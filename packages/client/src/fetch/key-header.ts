/** The header that carries the key. */
import { IntentUnsendableError } from '../base/errors.ts'

export interface KeyHeader {
  readonly name: string
  /** Writes a key as the header's value. */
  write(key: string): string
  /**
   * Reads a key of the caller's own, from the option or from the headers of the request.
   *
   * @throws {@link IntentUnsendableError} when it is no key, or there are two
   */
  ownValue(key: string | undefined, headers: Headers): string | undefined
}

const VISIBLE = /^[\x20-\x7e]+$/

/** Texts that a bug of the caller makes, and that all who have it would share. */
const ACCIDENTS = ['', 'undefined', 'null', 'NaN', '[object Object]']

/** Tells whether a value names nothing: it is no text, or one that a bug makes. */
export function isAccident(name: unknown): boolean {
  return typeof name !== 'string' || ACCIDENTS.includes(name)
}

export function keyHeader(name: string, quoted: boolean): KeyHeader {
  const write = (key: string) => (quoted ? `"${key.replace(/["\\]/g, '\\$&')}"` : key)
  return {
    name,
    write,
    ownValue(key, headers) {
      const given = headers.get(name)
      const own = key ?? given
      if (own === null) return undefined
      if (!VISIBLE.test(own) || own.length > (key === undefined ? 257 : 255) || isAccident(own)) {
        throw new IntentUnsendableError(`A key has 1 to 255 visible ASCII characters, got '${own}'.`)
      }
      if (key !== undefined && given !== null) {
        throw new IntentUnsendableError(`Give the key once: as \`key\` or as the header ${name}.`)
      }
      return given ?? write(own)
    },
  }
}
