import type { Check } from '../../check.ts'
import { withStore } from '../../harness.ts'
import { runSequence, sequences } from '../../model/sequences.ts'
import { createTwin, manualClock } from '../../model/side-by-side.ts'
import { forAll } from '../../tools/property.ts'
import { settings } from '../../tools/settings.ts'

export const sequenceChecks: readonly Check[] = [
  {
    id: 'sequences',
    title: 'any sequence of calls is answered as the contract says',
    clauses: ['C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8', 'C9', 'C10', 'C11', 'C12', 'C13', 'C14', 'C15', 'C16'],
    needs: [],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, (store) =>
        forAll(sequences, settings.runs, (steps) => runSequence(createTwin(store, clock), steps, noPurge)),
      )
    },
  },
]

async function noPurge(): Promise<void> {}
