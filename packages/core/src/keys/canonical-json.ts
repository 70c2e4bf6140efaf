/** JSON Canonicalization Scheme, RFC 8785: one text for each JSON value, whatever the order of its members. */
import { IdempotencyInvalidCallError } from '../errors.ts'

const MAX_DEPTH = 1000

/**
 * The canonical JSON text of a value. Members that are `undefined` are left out, and `toJSON` is honoured.
 *
 * @throws IdempotencyInvalidCallError for what JSON would lose silently (BigInt, NaN, functions, Map, Set and Error, `undefined` in
 * an array, lone surrogates), for cycles, and for more than 1000 levels
 */
export function canonicalize(value: unknown): string {
  return write(value, [], '')
}

/** Every request is written once, so this is written for speed: no closures, and one array for all ancestors. */
function write(value: unknown, ancestors: object[], member: string): string {
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!Number.isFinite(value)) throw refusal(member, `JSON has no ${value}`)
      return `${value}`
    case 'string':
      return writeText(value, member)
    case 'object':
      return value === null ? 'null' : writeObject(value, ancestors, member)
    default:
      throw refusal(member, `JSON has no ${typeof value}; convert it first`)
  }
}

/** What stands for itself between quotes. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/

function writeText(text: string, member: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`
  if (!text.isWellFormed()) throw refusal(member, 'a lone surrogate has no UTF-8 form')
  return JSON.stringify(text)
}

function writeObject(value: object, ancestors: object[], member: string): string {
  if (ancestors.includes(value)) throw refusal(member, 'a cycle')
  if (ancestors.length >= MAX_DEPTH)
    throw new IdempotencyInvalidCallError('payload', `payload: more than ${MAX_DEPTH} levels`)
  ancestors.push(value)
  const text = writeEntered(value, ancestors, member)
  ancestors.pop()
  return text
}

function writeEntered(value: object, ancestors: object[], member: string): string {
  const json: unknown = hasToJson(value) ? value.toJSON(member) : value
  if (json !== value) return write(json, ancestors, member)
  return Array.isArray(value) ? writeArray(value, ancestors) : writeMembers(value, ancestors, member)
}

function writeArray(items: readonly unknown[], ancestors: object[]): string {
  let text = ''
  // by index, so that the holes of a sparse array are seen
  for (let index = 0; index < items.length; index++) {
    text += `${index === 0 ? '' : ','}${write(items[index], ancestors, `${index}`)}`
  }
  return `[${text}]`
}

function writeMembers(value: object, ancestors: object[], member: string): string {
  const names = Object.keys(value).sort()
  if (!isTransparent(value, names)) {
    const kind = value.constructor?.name ?? 'object'
    throw refusal(member, `JSON cannot see what a ${kind} holds; convert it first`)
  }
  let text = ''
  for (const name of names) {
    const item = (value as Record<string, unknown>)[name]
    if (item === undefined) continue
    text += `${text === '' ? '' : ','}${writeText(name, name)}:${write(item, ancestors, name)}`
  }
  return `{${text}}`
}

function hasToJson(value: object): value is { toJSON(member: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

/** What a Map, a Set or an Error holds is not its members, though it may have members too. */
function isTransparent(value: object, names: readonly string[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  if (value instanceof Map || value instanceof Set || value instanceof Error) return false
  return names.length > 0 || Object.getPrototypeOf(prototype) === null
}

function refusal(member: string, problem: string): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError('payload', `payload${member && ` at '${member}'`}: ${problem}`)
}
