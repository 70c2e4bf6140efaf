import { StorageError } from './errors.ts'
import { exclusively } from './exclusively.ts'
import type { IntentStorage, PlainStorage } from './storage.ts'

/** An `IntentStorage` of one that answers at once. What was written is read again: some browsers drop it without a word. */
export function lifted(open: () => PlainStorage): IntentStorage {
  return {
    update: (name, change) =>
      exclusively(name, () => {
        try {
          const storage = open()
          const current = storage.get(name)
          const next = change(current)
          if (next === current) return current
          if (next === null) storage.remove(name)
          else storage.set(name, next)
          if (storage.get(name) !== next) throw new Error('it does not keep what is written')
          return next
        } catch (cause) {
          throw new StorageError('The storage of this browser cannot be used: it is full, blocked or absent.', {
            cause,
          })
        }
      }),
  }
}
