import { type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'
import { type Change, wrapStore } from '@retryproof/core/store'

/**
 * The fate of one call:
 * - `'refuse'`: nothing is done, and the caller is told so (`applied: 'no'`)
 * - `'lose request'`: nothing is done, and the caller cannot know (`applied: 'unknown'`)
 * - `'lose reply'`: it is done, and the caller cannot know (`applied: 'unknown'`)
 * - `{ delayMs }`: it is done that much later
 * - `{ until }`: it is done once that promise has resolved
 */
export type Fault =
  | 'refuse'
  | 'lose request'
  | 'lose reply'
  | { readonly delayMs: number }
  | { readonly until: Promise<unknown> }

/** One call to a faulty store. */
export interface FaultyCall {
  readonly op: 'begin' | 'transition' | 'get'
  readonly key: string
  /** The number of calls before it. */
  readonly index: number
  /** The target of a transition. */
  readonly to?: Change['to']
}

/** The fault of each call: chosen by a function, or one after the other from a list; `null` where there is none. */
export type FaultPlan = ((call: FaultyCall) => Fault | null | undefined) | readonly (Fault | null)[]

/** The store, with faults in front of `begin`, `transition` and `get`. Its other methods are untouched. */
export function faulty<Tx>(store: IdempotencyStore<Tx>, plan: FaultPlan): IdempotencyStore<Tx> {
  const choose = typeof plan === 'function' ? plan : ({ index }: FaultyCall) => plan[index]
  let index = 0

  async function suffer<T>(call: Omit<FaultyCall, 'index'>, work: () => Promise<T>): Promise<T> {
    const fault = choose({ ...call, index: index++ })
    if (!fault) return work()
    if (fault === 'refuse') throw failure('no')
    if (fault === 'lose request') throw failure('unknown')
    if (fault === 'lose reply') {
      await work()
      throw failure('unknown')
    }
    await ('until' in fault ? fault.until : new Promise((resolve) => setTimeout(resolve, fault.delayMs)))
    return work()
  }

  return wrapStore(store, {
    begin: (key, claim) => suffer({ op: 'begin', key }, () => store.begin(key, claim)),
    transition: (key, token, change) =>
      suffer({ op: 'transition', key, to: change.to }, () => store.transition(key, token, change)),
    get: (key) => suffer({ op: 'get', key }, () => store.get(key)),
  })
}

function failure(applied: 'no' | 'unknown'): StoreUnavailableError {
  return new StoreUnavailableError('This fault was planned.', { applied, cause: new Error('planned fault') })
}
