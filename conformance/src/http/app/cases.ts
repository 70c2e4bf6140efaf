/** The state of each check: runs of its handlers, and the gates at which they wait. A check tells its requests by `X-Case`. */

export interface Case {
  /** The number of runs of a handler. */
  runs: number
  /** True where handlers that wait at the gate may go on. */
  isOpen: boolean
  /** The number of times that a handler saw that its client had left. */
  departures: number
  /** True where the time is out of routes that have a time-out. */
  isTimedOut: boolean
  /** True where its user, who has the name of the case, is let in no more. */
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
    isTimedOut: false,
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

/** A change: handlers of the case that wait at the gate go on. */
export function openGate(each: Case): void {
  each.isOpen = true
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
