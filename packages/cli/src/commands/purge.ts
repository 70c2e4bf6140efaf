/** `retryproof purge`: removes expired records, batch by batch. */
import { duration } from '@retryproof/http/internal'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { printJson } from '../output/rows.ts'
import { type CommonOptions, withTargetToTheEnd } from './context.ts'

export interface PurgeOptions extends CommonOptions {
  readonly batch: number
}

/** Each batch is a statement of its own, so that an interrupted purge has removed what it says, and another goes on. */
export async function purge(io: CliIo, options: PurgeOptions): Promise<number> {
  return withTargetToTheEnd(io, options, async ({ store, expired }) => {
    if (!store?.purge)
      throw new CliError(
        store
          ? 'This database removes expired records by itself: there is nothing to purge.'
          : 'The configuration exports no store: export const store = …',
        exitCodes.refused,
      )
    // a count that fails must not keep the purge from telling why
    const all = io.isTerminal ? await expired?.().catch(() => undefined) : undefined
    const started = io.now()
    let removed = 0
    let last = options.batch
    while (last >= options.batch && !io.interrupted.aborted) {
      last = await store.purge({ limit: options.batch })
      removed += last
      // a line that wraps could not be drawn over
      if (io.isTerminal)
        io.writeError(`\r\u001b[K${progress(removed, all, io.now() - started).slice(0, io.columns - 1)}`)
    }
    if (io.isTerminal) io.writeError('\n')
    const interrupted = io.interrupted.aborted && last >= options.batch
    if (options.json) printJson(io, { removed, finished: !interrupted })
    else
      io.write(
        interrupted
          ? `Removed ${removed} expired records, and there are more: run it again to go on.\n`
          : `Removed ${removed} expired records in ${duration(io.now() - started)}.\n`,
      )
    return interrupted ? exitCodes.interrupted : exitCodes.done
  })
}

/** Says how many are removed, how fast, and how long the others take; records that expire meanwhile come on top. */
export function progress(removed: number, all: number | undefined, elapsedMs: number): string {
  const perMs = removed / Math.max(1, elapsedMs)
  const rate = `${Math.round(perMs * 1000)} a second`
  if (all === undefined || all < removed) return `${removed} removed, ${rate}`
  const left = perMs === 0 ? '' : `, ${duration(Math.round((all - removed) / perMs))} left`
  return `${removed} of ${all} removed (${Math.floor((removed / Math.max(1, all)) * 100)} %), ${rate}${left}`
}
