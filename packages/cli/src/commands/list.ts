/** `retryproof list`: the records, page by page. */
import type { ListedRecord } from '@retryproof/core'
import { expiryOf, leaseOf, neutralize, readDuration, STATES, stateName } from '@retryproof/http/internal'
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
  const stuckFor = stuck === undefined ? undefined : readDuration(stuck)
  if (stuck !== undefined && stuckFor === undefined)
    throw new CliError('--stuck takes a duration such as 30s, 10m or 24h.')
  return {
    ...(operation !== undefined && { operation }),
    ...(known !== undefined && { state: known }),
    ...(scope !== undefined && { scope }),
    ...(stuckFor !== undefined && { stuckFor }),
    ...(expired && { expired }),
    ...(after !== undefined && { after }),
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
