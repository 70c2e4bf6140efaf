/** Transactions on a pool leave one of its connections to all other calls, heartbeats first. */
import { createTurns, type Turns } from '../../base/bounded.ts'
import { StoreUnavailableError } from '../../errors.ts'

const TURN_MS = 60_000
const turnsOfPools = new WeakMap<object, Turns>()

/**
 * The turns of a pool: at most one transaction less than it has connections is open, whichever stores share the pool. The
 * others wait while their leases are renewed, each for a minute at most.
 *
 * @param connections how many the pool may have; undefined where it does not say, so that nothing is limited
 */
export function turnsOf(pool: object, connections: number | undefined): Turns {
  const known = turnsOfPools.get(pool)
  if (known) return known
  const limit = connections === undefined ? Number.POSITIVE_INFINITY : Math.max(1, connections - 1)
  const message = `${limit} transactions are open on the pool, and none ended within ${TURN_MS} ms. Raise the size of the pool.`
  const turns = createTurns(limit, TURN_MS, () => new StoreUnavailableError(message, { applied: 'no' }))
  turnsOfPools.set(pool, turns)
  return turns
}
