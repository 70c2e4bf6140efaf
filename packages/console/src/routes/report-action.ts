import type { ConsoleAction, ConsoleUser } from '../options.ts'
import { PageError } from './error-answers.tsx'

type Report = (outcome: ConsoleAction['outcome'], more?: Pick<ConsoleAction, 'records' | 'error'>) => Promise<void>

/** Tells the application about an action when it is over. @throws PageError when the application could not take it */
export function reporterOf<User extends ConsoleUser>(
  onAction: (action: ConsoleAction<User>) => void | Promise<void>,
  action: Omit<ConsoleAction<User>, 'at' | 'outcome'>,
): Report {
  return async (outcome, more = {}) => {
    try {
      await onAction({ ...action, ...more, at: new Date(), outcome })
    } catch (cause) {
      const made = outcome === 'done' ? 'The change was made' : 'The change was not made, or may not have been'
      const text = `${made}. Writing it to the audit log failed: tell those who keep the log.`
      throw Object.assign(new PageError(500, { title: 'Not in the audit log', text }), { cause })
    }
  }
}
