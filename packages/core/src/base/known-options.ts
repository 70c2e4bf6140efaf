/** Refuses mistyped options: one rule for every function that takes some. */
import { IdempotencyInvalidOptionError } from '../errors.ts'
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

/** @throws {@link IdempotencyInvalidOptionError} when a name of `options` is none of `known` */
export function assertKnownNames(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw unknownOption(unknown, known)
}

/** Makes the error for a name that is no option: it names the option that was probably meant, and all that there are. */
export function unknownOption(name: string, known: readonly string[]): IdempotencyInvalidOptionError {
  const nearest = nearestName(name, known)
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  return new IdempotencyInvalidOptionError(name, `is not an option here${hint}; there are ${known.join(', ')}`)
}
