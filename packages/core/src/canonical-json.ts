/** JSON Canonicalization Scheme, RFC 8785: one text for each JSON value, whatever the order of its members. */
import { InvalidCallError } from './errors.ts'

const MAX_DEPTH = 1000

/**
 * The canonical JSON text of a value. Members that are `undefined` are left out, and `toJSON` is honoured.
 *
 * @throws InvalidCallError for what JSON would lose silently (BigInt, NaN, functions, Map, Set and Error, `undefined` in
 * an array, lone surrogates), for cycles, and for more than 1000 levels
 */
export function canonicalize(value: unknown): string {
  return write(value, [], '')
}

function write(value: unknown, ancestors: readonly object[], member: string): string {
  const path = () => `payload${member && ` at '${member}'`}`
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) throw new InvalidCallError('payload', `${path()}: JSON has no ${value}`)
      return JSON.stringify(value)
    case 'string':
      if (!value.isWellFormed()) throw new InvalidCallError('payload', `${path()}: a lone surrogate has no UTF-8 form`)
      return JSON.stringify(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, ancestors, member)
    default:
      throw new InvalidCallError('payload', `${path()}: JSON has no ${typeof value}; convert it first`)
  }
}

function writeObject(value: object, ancestors: readonly object[], member: string): string {
  if (ancestors.includes(value)) throw new InvalidCallError('payload', `payload at '${member}': a cycle`)
  if (ancestors.length >= MAX_DEPTH) throw new InvalidCallError('payload', `payload: more than ${MAX_DEPTH} levels`)
  const here = [...ancestors, value]
  const json: unknown = hasToJson(value) ? value.toJSON(member) : value
  if (json !== value) return write(json, here, member)
  // `Array.from` sees the holes of a sparse array, which `map` skips
  if (Array.isArray(value)) return `[${Array.from(value, (item, index) => write(item, here, `${index}`)).join()}]`
  const names = Object.keys(value).sort()
  if (isOpaque(value) || (names.length === 0 && !isPlain(value))) {
    const kind = value.constructor?.name ?? 'object'
    throw new InvalidCallError(
      'payload',
      `payload at '${member}': JSON cannot see what a ${kind} holds; convert it first`,
    )
  }
  const members = names.flatMap((name) => {
    const item = (value as Record<string, unknown>)[name]
    return item === undefined ? [] : [`${write(name, here, name)}:${write(item, here, name)}`]
  })
  return `{${members.join()}}`
}

function hasToJson(value: object): value is { toJSON(member: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

/** What these hold are not their members, though they may have members too. */
function isOpaque(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof Error
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
