import { IntentStorageError, isIntentError } from '../base/errors.ts'
import type { IntentStorage, PlainStorage } from './storage.ts'
import { withLock } from './with-lock.ts'

/** Runs `work` when it is its turn, with the entry that all tabs agree on, if a storage may be behind. */
type Turns = (name: string, work: (last?: string | null) => string | null) => Promise<string | null>

/** Lifts a storage that answers at once to an `IntentStorage`. Reads again after it writes: some browsers drop a write silently. */
export function storageAdapter(open: () => PlainStorage, turnsOf: () => Turns = () => withLock): IntentStorage {
  return {
    async update(name, change) {
      try {
        const storage = open()
        return await turnsOf()(name, (last) => {
          const next = change(last === undefined ? storage.get(name) : last)
          if (storage.get(name) === next) return next
          if (next === null) storage.remove(name)
          else storage.set(name, next)
          if (storage.get(name) !== next) throw new Error('it does not keep what is written')
          return next
        })
      } catch (cause) {
        if (isIntentError(cause)) throw cause
        throw new IntentStorageError('The storage of this browser cannot be used: it is full, blocked or absent.', {
          cause,
        })
      }
    },
    names: () => open().names?.() ?? [],
  }
}
