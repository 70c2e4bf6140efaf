/** `retryproof list`: the records, page by page. */
import type { Duration, ListedRecord } from '@retryproof/core'
import { toMs } from '@retryproof/core/store'
import { expiryOf, leaseOf, neutralize, STATES, stateName } from '@retryproof/http/internal'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { csv, printJson, table } from '../output/rows.ts'
import { listIn } from '../target/records.ts'
import { type CommonOptions, withTarget } from './context.ts'

export interface ListOptions extends CommonOptions {
  readonly operation?: string
  readonly state?: string
  readonly scope?: readonly string[]
  readonly stuck?: string
  readonly expired?: boolean
  readonly after?: string
  readonly limit: number
}

const COLUMNS = ['key', 'state', 'attempt', 'lease', 'expires']

export async function list(io: CliIo, options: ListOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    const { limit } = options
    const found: ListedRecord[] = []
    // one more tells whether there is another page
    for await (const record of listIn(target, { ...filterOf(options), limit: limit + 1 })) found.push(record)
    const records = found.slice(0, limit)
    const next = found.length > limit ? (records.at(-1)?.key ?? null) : null
    if (options.json) printJson(io, { records: records.map(toPlainRow), next })
    else if (options.csv) io.write(csv(CSV_COLUMNS, records.map(toPlainRow)))
    else if (records.length === 0) io.writeError('No records.\n')
    else io.write(table(COLUMNS, records.map(toRow), io))
    if (next !== null && !options.json) io.writeError(`There are more: add --after ${neutralize(next)}\n`)
    return exitCodes.done
  })
}

function filterOf({ operation, state, scope, stuck, expired, after }: ListOptions) {
  const known = state === undefined ? undefined : STATES[state]
  if (state !== undefined && known === undefined)
    throw new CliError(`--state is one of ${Object.keys(STATES).join(', ')}.`)
  return {
    ...(operation !== undefined && { operation }),
    ...(known !== undefined && { state: known }),
    ...(scope !== undefined && { scope }),
    ...(stuck !== undefined && { stuckFor: readDuration(stuck) }),
    ...(expired && { expired }),
    ...(after !== undefined && { after }),
  }
}

function readDuration(text: string): Duration {
  try {
    toMs('stuck', text as Duration)
    return text as Duration
  } catch {
    throw new CliError('--stuck takes a duration such as 30s, 10m or 24h.')
  }
}

const toRow = (record: ListedRecord) => ({
  key: record.key,
  state: stateName(record.state),
  attempt: record.interrupted ? `${record.attempt}, interrupted` : record.attempt,
  lease: leaseOf(record),
  expires: expiryOf(record),
})

const CSV_COLUMNS = [
  'key',
  'state',
  'attempt',
  'interrupted',
  'token',
  'leaseRemainingMs',
  'leaseExpiredMs',
  'retentionRemainingMs',
]
const toPlainRow = ({ ...record }: ListedRecord) => ({ ...record, state: stateName(record.state) })
