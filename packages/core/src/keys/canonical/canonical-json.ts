/** JSON Canonicalization Scheme, RFC 8785: one text for each JSON value, whatever the order of its members. */
import { IdempotencyInvalidCallError } from '../../errors.ts'
import { canonicalText, MAX_DEPTH, tooDeep } from './canonical-text.ts'

/**
 * Gives the JSON value that stands for one which JSON cannot hold: a number or a text without a form, or an object that is
 * neither plain nor an array. `inner` does the same for what such an object holds.
 *
 * @throws for what nobody can look into
 */
export type Substitute = (value: unknown, member: string, inner: (held: unknown) => unknown) => unknown

/**
 * The canonical JSON text of a value. Members that are `undefined` are left out, and `toJSON` is honoured.
 *
 * @throws {@link IdempotencyInvalidCallError} for what JSON would lose silently: BigInt, NaN, functions, instances of
 * classes, invalid dates, `undefined` in an array, lone surrogates, cycles, and more than 1000 levels
 */
export function canonicalize(value: unknown, substitute: Substitute = honourToJson): string {
  return canonicalText(JSON.stringify(toJsonValue(value, '', 0, substitute)))
}

/** The value itself, unless something in it has to be substituted. */
function toJsonValue(value: unknown, member: string | number, depth: number, substitute: Substitute): unknown {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      if (value.isWellFormed()) return value
      break
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      break
    case 'object':
      if (value === null) return value
      if (depth >= MAX_DEPTH) throw tooDeep()
      if (isPlain(value)) return membersOf(value, depth + 1, substitute)
      if (Array.isArray(value)) return itemsOf(value, depth + 1, substitute)
  }
  return substitute(value, `${member}`, (held) => toJsonValue(held, member, depth + 1, substitute))
}

function itemsOf(items: readonly unknown[], depth: number, substitute: Substitute): readonly unknown[] {
  let copy: unknown[] | undefined
  // by index, so that the holes of a sparse array are seen
  for (let index = 0; index < items.length; index++) {
    const json = toJsonValue(items[index], index, depth, substitute)
    if (copy) copy.push(json)
    else if (json !== items[index]) copy = [...items.slice(0, index), json]
  }
  return copy ?? items
}

function membersOf(value: Readonly<Record<string, unknown>>, depth: number, substitute: Substitute): object {
  let changed: [name: string, json: unknown][] | undefined
  for (const name of Object.keys(value)) {
    const item = value[name]
    if (item === undefined) continue
    if (!name.isWellFormed()) substitute(name, name, identity)
    const json = toJsonValue(item, name, depth, substitute)
    if (json === item) continue
    changed ??= []
    changed.push([name, json])
  }
  return changed ? Object.fromEntries([...Object.entries(value), ...changed]) : value
}

/** Tells whether an object has no members but its own, and says nothing else about its JSON. */
export function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  if (Array.isArray(value) || hasToJson(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  if (Object.getPrototypeOf(prototype) !== null) return false
  // of objects in another realm, and of those that parsers of query strings make
  return Object.hasOwn(prototype as object, 'isPrototypeOf') || Reflect.ownKeys(prototype as object).length === 0
}

export function hasToJson(value: object): value is { toJSON(member: string): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

function honourToJson(value: unknown, member: string, inner: (held: unknown) => unknown): unknown {
  switch (typeof value) {
    case 'number':
      if (value === 0) return 0
      throw refusal(member, `JSON has no ${value}`)
    case 'string':
      throw refusal(member, 'a lone surrogate has no UTF-8 form')
    case 'object': {
      const kind = value?.constructor?.name || 'nameless class'
      if (!value || !hasToJson(value)) throw refusal(member, `JSON cannot see what a ${kind} holds; convert it first`)
      const json = value.toJSON(member)
      if (json === null && kind === 'Date') throw refusal(member, 'the Date is not valid')
      return inner(json === value ? { ...value } : json)
    }
    default:
      throw refusal(member, `JSON has no ${typeof value}; convert it first`)
  }
}

function identity<Value>(value: Value): Value {
  return value
}

function refusal(member: string, problem: string): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError('payload', `payload${member && ` at '${member}'`}: ${problem}`)
}
