import type { CasStorage } from '../src/store/cas/cas-store.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Entries in a map, each call in a turn of its own, so that other calls come between a read and its swap. */
export function casMap(entries = new Map<string, { value: Uint8Array; revision: number }>()) {
  let revisions = 0
  const trips: string[] = []
  const storage = {
    async read(key) {
      trips.push('read')
      await turn()
      const entry = entries.get(key)
      return entry ? { ...entry } : null
    },
    async swap(key, value, revision) {
      trips.push('swap')
      await turn()
      if ((entries.get(key)?.revision ?? null) !== revision) return false
      entries.set(key, { value, revision: ++revisions })
      await turn()
      return true
    },
    async remove(key, revision) {
      await turn()
      return entries.get(key)?.revision === revision && entries.delete(key)
    },
    async *entries() {
      for (const [key, entry] of entries) yield { key, ...entry }
    },
  } satisfies CasStorage<number>
  return { entries, trips, storage }
}
