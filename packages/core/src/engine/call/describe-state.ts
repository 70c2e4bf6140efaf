import type { RecordView } from '../../store/store.ts'

/** What stands under a key, for error messages. */
export function describeState(current: RecordView | null): string {
  return current ? `${current.state} (attempt ${current.attempt})` : 'gone'
}
