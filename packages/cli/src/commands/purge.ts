/** `retryproof purge`: removes expired records, batch by batch. */

import { duration } from '@retryproof/http/internal'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { printJson } from '../output/rows.ts'
import { type CommonOptions, withTarget } from './context.ts'

export interface PurgeOptions extends CommonOptions {
  readonly batch: number
}

/** Each batch is a statement of its own, so that an interrupted purge has removed what it says, and another goes on. */
export async function purge(io: CliIo, options: PurgeOptions): Promise<number> {
  return withTarget(io, options, async ({ store }) => {
    if (!store?.purge)
      throw new CliError(
        store
          ? 'This database removes expired records by itself: there is nothing to purge.'
          : 'The configuration exports no store: export const store = …',
        exitCodes.refused,
      )
    const started = io.now()
    let removed = 0
    let last = options.batch
    while (last >= options.batch && !io.interrupted.aborted) {
      last = await store.purge({ limit: options.batch })
      removed += last
      const elapsed = Math.max(1, io.now() - started)
      if (io.isTerminal) io.writeError(`\r${removed} removed, ${Math.round((removed / elapsed) * 1000)} a second  `)
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
