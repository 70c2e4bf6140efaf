/** The filters of the list, as they stand in its address. */
import { IdempotencyInvalidOptionError, type RecordFilter } from '@retryproof/core'
import { readDuration, STATES } from '@retryproof/http/internal'

/** The filters as a person typed them. Empty texts are left out. */
export interface FilterTexts {
  readonly namespace?: string
  readonly operation?: string
  readonly state?: string
  /** A duration, such as `10m`. */
  readonly stuck?: string
  /** One part a line. */
  readonly scope?: string
  readonly after?: string
}

const NAMES = ['namespace', 'operation', 'state', 'stuck', 'scope', 'after'] as const satisfies (keyof FilterTexts)[]

export function readFilter(query: URLSearchParams): FilterTexts {
  const given = NAMES.map((name) => [name, query.getAll(name).join('\n').trim()] as const)
  return Object.fromEntries(given.filter(([, text]) => text !== ''))
}

/** Returns the query of an address: empty, or with its question mark. */
export function toQuery(filter: FilterTexts): string {
  const query = new URLSearchParams(Object.entries(filter).filter(([, text]) => text !== ''))
  return query.size === 0 ? '' : `?${query}`
}

/** @throws {@link IdempotencyInvalidOptionError} when a filter that stands in an address cannot be used */
export function toRecordFilter({ operation, state, stuck, scope, after }: FilterTexts): RecordFilter {
  const known = state !== undefined && Object.hasOwn(STATES, state) ? STATES[state] : undefined
  if (state !== undefined && known === undefined)
    throw new IdempotencyInvalidOptionError('state', `is one of ${Object.keys(STATES).join(', ')}`)
  const stuckFor = stuck === undefined ? undefined : readDuration(stuck)
  if (stuck !== undefined && stuckFor === undefined)
    throw new IdempotencyInvalidOptionError('stuck', 'takes a duration such as 30s, 10m or 24h')
  return {
    ...(operation !== undefined && { operation }),
    ...(known !== undefined && { state: known }),
    ...(stuckFor !== undefined && { stuckFor }),
    ...(scope !== undefined && { scope: readScope(scope) }),
    ...(after !== undefined && { after }),
  }
}

/** Returns the parts of a scope, one of each line. */
export const readScope = (text: string): readonly string[] =>
  text
    .split(/\r?\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
