/** Wraps a store: the one way in which packages of ours put something in front of another store. */
import type { RecordStore } from '../store.ts'

/** Replacements for members of a store. `undefined` removes an optional operation. */
export type StoreOverrides<Store> = { readonly [Name in keyof Store]?: Store[Name] | undefined }

/**
 * Returns a store with every member of `store`, except those that `overrides` replaces or removes.
 * Binds methods to the original, so that a class with private fields and methods on its prototype works too.
 *
 * @example
 * import { type IdempotencyStore, wrapStore } from '@retryproof/core/store'
 *
 * export function withoutPurge(store: IdempotencyStore): IdempotencyStore {
 *   return wrapStore(store, { purge: undefined })
 * }
 */
export function wrapStore<Store extends RecordStore>(store: Store, overrides: StoreOverrides<Store>): Store {
  const members = new Map<string, unknown>(Object.entries(overrides))
  for (let owner: unknown = store; owner && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (name === 'constructor' || members.has(name)) continue
      const member: unknown = Reflect.get(store, name)
      members.set(name, typeof member === 'function' ? member.bind(store) : member)
    }
  }
  const present: unknown = Object.fromEntries([...members].filter(([, member]) => member !== undefined))
  return present as Store
}
