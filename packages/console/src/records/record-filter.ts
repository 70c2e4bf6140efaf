/** The filters of the list, as they stand in its address. */
import type { RecordFilter } from '@retryproof/core'
import { STATES } from '@retryproof/http/internal'

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

/** Returns the filter of `list`, which checks the duration by itself. */
export function toRecordFilter({ operation, state, stuck, scope, after }: FilterTexts): RecordFilter {
  const known = state === undefined ? undefined : STATES[state]
  return {
    ...(operation !== undefined && { operation }),
    ...(known !== undefined && { state: known }),
    ...(stuck !== undefined && { stuckFor: stuck as `${number}m` }),
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
