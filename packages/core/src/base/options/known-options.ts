/** Refuses mistyped options: one rule for every function that takes some. */
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { classOf, describeKind } from './describe-kind.ts'
import { nearestName } from './nearest-name.ts'

/**
 * Refuses options that have a name which is none of them. `known` lists every name, so that the compiler finds one that it lacks.
 *
 * @example
 * import { assertKnownOptions } from '@retryproof/core/store'
 *
 * interface MyStoreOptions { readonly url: string; readonly table?: string }
 *
 * export function myStore(options: MyStoreOptions) {
 *   assertKnownOptions(options, { url: true, table: true })
 *   return { ...options }
 * }
 *
 * @throws {@link IdempotencyInvalidOptionError} when a name is unknown: with the name that was probably meant, and the list of all
 */
export function assertKnownOptions<Options extends object>(
  options: Options,
  known: { readonly [Name in keyof Required<Options>]: true },
): void {
  assertKnownNames(options, Object.keys(known))
}

/** @throws {@link IdempotencyInvalidOptionError} when `options` is no object with options, or has a name that is none of `known` */
export function assertKnownNames(options: object, known: readonly string[]): void {
  const names = typeof options === 'object' && options !== null ? Object.keys(options) : null
  const unknown = names?.find((name) => !known.includes(name))
  const isSomethingElse = names === null || (unknown !== undefined && isForeign(options, known))
  if (isSomethingElse)
    throw new IdempotencyInvalidOptionError(
      'options',
      `must be an object with ${known.join(', ')}; got ${describeKind(options)}`,
    )
  if (unknown !== undefined) throw unknownOption(unknown, known)
}

/** Tells an object of a class with none of the options, such as a pool in the place of `{ pool }`. */
function isForeign(options: object, known: readonly string[]): boolean {
  return classOf(options) !== 'Object' && !known.some((name) => name in options)
}

/** Makes the error for a name that is no option: it names the option that was probably meant, and all that there are. */
export function unknownOption(name: string, known: readonly string[]): IdempotencyInvalidOptionError {
  const nearest = nearestName(name, known)
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  return new IdempotencyInvalidOptionError(name, `is not an option here${hint}; there are ${known.join(', ')}`)
}
