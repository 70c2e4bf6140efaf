/** What the handlers did for each check, and what they wait for. A check tells its requests by `X-Case`. */

export interface Case {
  /** How often a handler ran. */
  runs: number
  /** Whether handlers that wait at the gate may go on. */
  isOpen: boolean
  /** How often a handler saw that its client had left. */
  departures: number
  /** Whether its user, who is named as the case is, is let in no more. */
  isRevoked: boolean
}

interface Watched extends Case {
  readonly watchers: Set<() => void>
}

/** Frameworks that bundle each route on its own have several copies of this module, which share one state. */
const STATE = Symbol.for('@retryproof/conformance cases')
const shared = globalThis as { [STATE]?: Map<string, Watched> }

function watchedCase(id: string): Watched {
  shared[STATE] ??= new Map()
  const found = shared[STATE].get(id) ?? {
    runs: 0,
    isOpen: false,
    departures: 0,
    isRevoked: false,
    watchers: new Set(),
  }
  shared[STATE].set(id, found)
  return found
}

export function caseOf(id: string): Readonly<Case> {
  return watchedCase(id)
}

export function change(id: string, act: (each: Case) => void): void {
  const found = watchedCase(id)
  act(found)
  for (const notify of [...found.watchers]) notify()
}

/** Resolves as soon as the case is as `isReached` wants it. */
export async function reached(id: string, isReached: (each: Readonly<Case>) => boolean): Promise<void> {
  const found = watchedCase(id)
  while (!isReached(found)) {
    await new Promise<void>((resolve) => {
      const notify = () => {
        found.watchers.delete(notify)
        resolve()
      }
      found.watchers.add(notify)
    })
  }
}
