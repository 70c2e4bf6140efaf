/** A type with a `toJSON` of its own, `Date` for one. */
interface WithToJson {
  toJSON(...args: never[]): unknown
}

/** JSON leaves out methods, and members that are named by a symbol. */
type Kept<Name, Member> = Name extends symbol ? never : Member extends (...args: never[]) => unknown ? never : Name

/** JSON has no form for these: a value that has one is not recorded, and reaches its first caller as it is. */
type NotJson = ((...args: never[]) => unknown) | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBuffer

/** Counts the levels, since a type may contain itself. A type that is deeper than six levels stays as it is. */
type ThroughJson<T, Level extends readonly 0[] = []> = Level['length'] extends 6
  ? T
  : T extends NotJson
    ? T
    : T extends WithToJson
      ? ThroughJson<ReturnType<T['toJSON']>, [...Level, 0]>
      : T extends readonly unknown[]
        ? { [Index in keyof T]: ThroughJson<T[Index], [...Level, 0]> }
        : T extends object
          ? { [Name in keyof T as Kept<Name, T[Name]>]: ThroughJson<T[Name], [...Level, 0]> }
          : T

/**
 * The type of a value after `json()`, the default serializer: a `Date` is a text, and methods are gone. It is `T` itself
 * where JSON changes nothing.
 *
 * @example
 * import type { Replayed } from '@retryproof/core'
 *
 * interface Order {
 *   id: string
 *   placedAt: Date
 * }
 * const replayed: Replayed<Order> = { id: 'o1', placedAt: '2026-01-31T12:00:00.000Z' }
 */
export type Replayed<T> = unknown extends T
  ? T
  : ThroughJson<T> extends infer Json
    ? [T, Json] extends [Json, T]
      ? T
      : Json
    : never
