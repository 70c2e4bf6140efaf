/** `retryproof stats` and `watch`: numbers of records, once or again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordCount } from '@retryproof/core'
import { duration, stateName } from '@retryproof/http/internal'
import { exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { csv, printJson, table } from '../output/rows.ts'
import { countIn } from '../target/records.ts'
import { type CommonOptions, withTarget } from './context.ts'

const COLUMNS = ['operation', 'state', 'records', 'stuck', 'longest']
const CSV_COLUMNS = ['operation', 'state', 'records', 'leaseExpired', 'longestExpiredMs']

export interface StatsOptions extends CommonOptions {
  readonly size?: boolean
}

export async function stats(io: CliIo, options: StatsOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    const counts = await countIn(target)
    const bytes = options.size ? ((await target.bytes?.().catch(() => null)) ?? null) : undefined
    if (options.json) printJson(io, { total: total(counts), bytes, counts: counts.map(toJson) })
    else if (options.csv) io.write(csv(CSV_COLUMNS, counts.map(toJson)))
    else
      io.write(
        counts.length === 0
          ? 'No records.\n'
          : `${table(COLUMNS, counts.map(toRow), io)}${total(counts)} records${sizeOf(bytes)}\n`,
      )
    return exitCodes.done
  })
}

export interface WatchOptions extends CommonOptions {
  /** Seconds. */
  readonly every: number
  /** Ends after this many readings. */
  readonly times?: number
}

export async function watch(io: CliIo, options: WatchOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    let before: number | undefined
    for (let reading = 1; !io.interrupted.aborted; reading++) {
      const counts = await countIn(target)
      const now = total(counts)
      const growth = before === undefined ? '' : `, ${now >= before ? '+' : ''}${now - before} in ${options.every} s`
      before = now
      if (options.json) io.write(`${JSON.stringify({ total: now, counts: counts.map(toJson) })}\n`)
      else if (io.isTerminal)
        io.write(`\u001b[H\u001b[2J${table(COLUMNS, counts.map(toRow), io)}${now} records${growth}\n`)
      else io.write(`${now} records${growth}${summary(counts)}\n`)
      if (reading === options.times) break
      await sleep(options.every * 1000, undefined, { signal: io.interrupted }).catch(() => undefined)
    }
    return exitCodes.done
  })
}

/** Null: nobody knows it. */
function sizeOf(bytes: number | null | undefined): string {
  if (bytes === undefined) return ''
  return bytes === null
    ? ', of a size that this store does not tell'
    : `, ${(bytes / 2 ** 20).toFixed(1)} MiB with indexes`
}

const total = (counts: readonly RecordCount[]): number => counts.reduce((sum, { records }) => sum + records, 0)

const toJson = ({ state, ...count }: RecordCount) => ({ ...count, state: stateName(state) })

const toRow = ({ operation, state, records, leaseExpired, longestExpiredMs }: RecordCount) => ({
  operation,
  state: stateName(state),
  records,
  stuck: leaseExpired || '',
  longest: longestExpiredMs > 0 ? duration(longestExpiredMs) : '',
})

function summary(counts: readonly RecordCount[]): string {
  const sum = (pick: (count: RecordCount) => number) => counts.reduce((all, count) => all + pick(count), 0)
  const parked = sum(({ state, records }) => (state === 'parked' ? records : 0))
  const stuck = sum(({ leaseExpired }) => leaseExpired)
  return `${parked ? `, ${parked} parked` : ''}${stuck ? `, ${stuck} with an expired lease` : ''}`
}
