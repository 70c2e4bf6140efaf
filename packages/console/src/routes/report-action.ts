import { warn, within } from '@retryproof/core/internal'
import type { ConsoleAction, ConsoleUser } from '../options.ts'
import { PageError } from './error-answers.tsx'

type Report = (outcome: ConsoleAction['outcome'], more?: Pick<ConsoleAction, 'records' | 'error'>) => Promise<void>

/** The time for which a page waits for the audit log. */
const PATIENCE_MS = 10_000

/** Tells the application about an action when it is over. @throws PageError when the application could not take it */
export function reporterOf<User extends ConsoleUser>(
  onAction: (action: ConsoleAction<User>) => void | Promise<void>,
  action: Omit<ConsoleAction<User>, 'at' | 'outcome'>,
  patienceMs = PATIENCE_MS,
): Report {
  const late = () => new Error(`onAction did not end within ${patienceMs} ms.`)
  return async (outcome, more = {}) => {
    try {
      const taken = onAction({ ...action, ...more, at: new Date(), outcome })
      await within(patienceMs, Promise.resolve(taken), late)
    } catch (cause) {
      warn(`The console could not write an action to the audit log: ${action.action}, ${outcome}.`, cause)
      const made = outcome === 'done' ? 'The change was made' : 'The change was not made, or may not have been'
      const text = `${made}. Writing it to the audit log failed: tell those who keep the log.`
      throw new PageError(500, { title: 'Not in the audit log', text })
    }
  }
}
