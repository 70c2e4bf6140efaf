/** A store between the engine and another store, so that a test sees each call and decides what becomes of it. */
import { StoreUnavailableError } from '../src/errors.ts'
import type { Change, Claim, IdempotencyStore } from '../src/store/store.ts'

/** One call of the store; `name` is that of the change where it is a transition. */
export interface SeenCall {
  readonly name: 'begin' | 'get' | Change['to']
  readonly key: string
  readonly claim?: Claim
  readonly token?: number
  readonly change?: Change
}

/**
 * The fate of a call: it is refused before it does anything, does its work and loses its reply, fails as a driver
 * fails (at once, or as a rejection), is never heard of again (done or not), or waits before it is done or answered.
 */
export type Fate =
  | 'done'
  | 'refused'
  | 'reply lost'
  | 'driver error'
  | 'thrown at once'
  | 'never answered'
  | 'never done'
  | { readonly before?: Promise<unknown>; readonly after?: Promise<unknown> }

export interface InterposedStore extends IdempotencyStore {
  /** The names of all calls so far. */
  readonly names: SeenCall['name'][]
  readonly calls: SeenCall[]
  /** Decides the fate of each call from now on. */
  fate: (call: SeenCall) => Fate
  /** Decides the fate of the next calls of that name, one after the other; then `fate` decides again. */
  next(name: SeenCall['name'], ...fates: Fate[]): void
}

export function interposed(inner: IdempotencyStore): InterposedStore {
  const planned = new Map<SeenCall['name'], Fate[]>()

  function pass<T>(call: SeenCall, work: () => Promise<T>): Promise<T> {
    store.names.push(call.name)
    store.calls.push(call)
    const fate = planned.get(call.name)?.shift() ?? store.fate(call)
    if (fate === 'thrown at once') throw new TypeError('the driver is closed')
    return meet(fate, work)
  }

  const store: InterposedStore = {
    ...inner,
    names: [],
    calls: [],
    fate: () => 'done',
    next(name, ...fates) {
      planned.set(name, [...(planned.get(name) ?? []), ...fates])
    },
    begin: (key, claim) => pass({ name: 'begin', key, claim }, () => inner.begin(key, claim)),
    transition: (key, token, change) =>
      pass({ name: change.to, key, token, change }, () => inner.transition(key, token, change)),
    get: (key) => pass({ name: 'get', key }, () => inner.get(key)),
  }
  return store
}

async function meet<T>(fate: Exclude<Fate, 'thrown at once'>, work: () => Promise<T>): Promise<T> {
  switch (fate) {
    case 'done':
      return work()
    case 'refused':
      throw new StoreUnavailableError('refused', { applied: 'no' })
    case 'reply lost':
      await work()
      throw new StoreUnavailableError('the reply was lost', { applied: 'unknown' })
    case 'driver error':
      throw new Error('connection terminated unexpectedly')
    case 'never answered':
      await work()
      return new Promise(() => {})
    case 'never done':
      return new Promise(() => {})
  }
  await fate.before
  const reply = await work()
  await fate.after
  return reply
}

/** A promise, and what resolves it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open: (value) => open(value) }
}
