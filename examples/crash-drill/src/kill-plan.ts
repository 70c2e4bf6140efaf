/** Plans the calls that kill their worker, and the stage: decided before anything is sent, so that no machine is too fast for it. */
import type { Stage } from './messages.ts'

export type Aim = Stage | 'any moment'

const aimsInTurn: readonly Aim[] = ['after the effect', 'any moment', 'after the effect', 'before the answer']

/**
 * By the index of their key: a kill for each of `kills` keys, spread evenly over all of them.
 * @param shift from 0 up to 1: plans with different shifts strike at different keys, where there are enough
 * @throws RangeError where there are fewer keys than kills
 */
export function planKills(kills: number, keys: number, shift: number): ReadonlyMap<number, Aim | undefined> {
  if (kills > keys) throw new RangeError(`${kills} kills need as many keys, and there are ${keys}.`)
  return new Map(
    Array.from({ length: kills }, (_, turn) => [
      Math.floor(((turn + shift) * keys) / kills),
      aimsInTurn[turn % aimsInTurn.length],
    ]),
  )
}
