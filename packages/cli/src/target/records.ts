/** Reads records of one namespace, or of all in a store. */
import type { ListedRecord, RecordCount, RecordFilter } from '@retryproof/core'
import { isPurgeTurn, operationSlug, partsOf } from '@retryproof/core/internal'
import { countRecords, toMs } from '@retryproof/core/store'
import { CliError } from '../exit-codes.ts'
import type { Target } from './target.ts'

/** Lists the records of the namespace that was asked for, else of every namespace. */
export function listIn(target: Target, asked: RecordFilter & { readonly limit: number }): AsyncIterable<ListedRecord> {
  if (target.namespace !== undefined || !target.store) return target.instance().list(asked)
  const { operation, scope, stuckFor, ...filter } = asked
  if (scope !== undefined) throw new CliError('--scope needs --namespace NAME: a scope belongs to one.')
  return callsOf(requireListing(target), {
    ...filter,
    ...(operation !== undefined && { operation: operationSlug(operation) }),
    ...(stuckFor !== undefined && { stuckForMs: toMs('stuck', stuckFor) }),
  })
}

/** Counts the records of the namespace that was asked for, else of every namespace. */
export async function countIn(target: Target): Promise<readonly RecordCount[]> {
  if (target.namespace !== undefined || !target.store) return target.instance().count()
  const counts = await (target.store.count?.({}) ?? countRecords(requireListing(target)({})))
  return counts.filter(({ operation }) => !isPurgeTurn(operation))
}

type Listing = NonNullable<NonNullable<Target['store']>['list']>
type Page = Parameters<Listing>[0] & { readonly limit: number }

/** Leaves out the turns of purges, as an instance does: they are calls of nobody. */
async function* callsOf(list: Listing, page: Page): AsyncGenerator<ListedRecord> {
  let { after, limit } = page
  while (limit > 0) {
    let turns = 0
    for await (const record of list({ ...page, ...(after !== undefined && { after }), limit })) {
      after = record.key
      if (isPurgeTurn(partsOf(after).operation)) turns++
      else yield record
    }
    limit = turns
  }
}

function requireListing({ store }: Target) {
  if (!store?.list) throw new CliError('This store cannot list its records.')
  return (query: Parameters<NonNullable<typeof store.list>>[0]) => store.list?.(query) ?? nothing()
}

async function* nothing(): AsyncGenerator<ListedRecord> {}
