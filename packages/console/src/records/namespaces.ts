/** Records of all instances that the console shows. */
import {
  IdempotencyInvalidCallError,
  IdempotencyInvalidOptionError,
  type ListedRecord,
  type RecordCount,
} from '@retryproof/core'
import { namespaceSlug, partsOf } from '@retryproof/core/internal'
import type { ConsoleInstance } from '../options.ts'
import { type FilterTexts, toRecordFilter } from './record-filter.ts'

export const PAGE_SIZE = 50

/** A page of the list, and the key after which the next one begins. */
export interface RecordPage {
  readonly records: readonly ListedRecord[]
  readonly next: string | undefined
}

/** A count of all namespaces. */
export interface Counted {
  /** The time at which it began, in ms. */
  readonly atMs: number
  /** Tells whether a newer count is under way, which takes longer than a page waits. */
  readonly isEarlier: boolean
  readonly namespaces: readonly NamespaceCounts[]
}

/** The counts of one namespace. */
export interface NamespaceCounts {
  readonly namespace: string
  readonly counts: readonly RecordCount[]
}

export interface Namespaces {
  readonly names: readonly string[]
  /** The instance to which a storage key belongs. */
  ofKey(key: string): ConsoleInstance | undefined
  /** The instance of a name, or the only one. */
  named(name: string | undefined): ConsoleInstance | undefined
  list(filter: FilterTexts): Promise<RecordPage>
  /**
   * Counts at most once in two seconds, however many pages ask, and a twentieth of the time at most. A page that has waited
   * for long enough gets the count before, or undefined where there is none yet.
   */
  count(): Promise<Counted | undefined>
  /** Makes the next count a new one: an action has changed records. */
  countAgain(): void
}

/** Tabs that poll share one answer of the database for so long. */
const COUNT_AGE_MS = 2000
/** A count that took long is shared for so many times as long: a table of any size costs its database a twentieth of the time. */
const COUNT_AGE_TIMES = 20
/** The time for which a page waits for a count, so that it is there within a second on a table of any size. */
const PATIENCE_MS = 700
const STORAGE_KEY = /^[a-z0-9-]{1,24}\.[a-z0-9-]{1,40}\.[0-9a-f]{64}$/

export function openNamespaces(
  instances: ReadonlyMap<string, ConsoleInstance>,
  now: () => number = Date.now,
  patienceMs = PATIENCE_MS,
): Namespaces {
  const all = [...instances.values()]
  let counted: { freshUntilMs: number; readonly count: Promise<Counted> } | undefined
  let latest: Counted | undefined
  const countNow = () =>
    Promise.all(all.map(async (instance) => ({ namespace: instance.namespace, counts: await instance.count() })))
  return {
    names: all.map(({ namespace }) => namespace),
    ofKey: (key) => (STORAGE_KEY.test(key) ? instances.get(partsOf(key).namespace) : undefined),
    named: (name) => (name === undefined && all.length === 1 ? all[0] : instances.get(namespaceSlug(name ?? ''))),
    list: (filter) => listPage(instances, filter),
    count() {
      const startMs = now()
      const patiently = (count: Promise<Counted>) =>
        within(patienceMs, count, () => latest && { ...latest, isEarlier: true })
      if (counted && startMs < counted.freshUntilMs) return patiently(counted.count)
      const count = countNow().then((namespaces) => ({ atMs: startMs, isEarlier: false, namespaces }))
      // under way it is everybody's
      const current = { freshUntilMs: Number.POSITIVE_INFINITY, count }
      counted = current
      count.then(
        (done) => {
          latest = done
          current.freshUntilMs = startMs + Math.max(COUNT_AGE_MS, COUNT_AGE_TIMES * (now() - startMs))
        },
        () => {
          if (counted === current) counted = undefined
        },
      )
      return patiently(count)
    },
    countAgain() {
      counted = undefined
    },
  }
}

/** Resolves as `promise` does, or after `ms` to what there is `instead`. */
async function within<T, Instead>(ms: number, promise: Promise<T>, instead: () => Instead): Promise<T | Instead> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<Instead>((resolve) => {
    timer = setTimeout(() => resolve(instead()), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function listPage(instances: ReadonlyMap<string, ConsoleInstance>, texts: FilterTexts): Promise<RecordPage> {
  const filter = toRecordFilter(texts)
  const wanted = texts.namespace === undefined ? undefined : namespaceSlug(texts.namespace)
  if (wanted !== undefined && !instances.has(wanted))
    throw new IdempotencyInvalidOptionError('namespace', 'is none that the console shows')
  const { after } = texts
  if (after !== undefined && !STORAGE_KEY.test(after))
    throw new IdempotencyInvalidCallError('key', 'after: this is no key of a record. Begin with the first page.')
  const begun = after === undefined ? '' : `${partsOf(after).namespace}.`
  const found: ListedRecord[] = []
  for (const [slug, instance] of instances) {
    if ((wanted !== undefined && slug !== wanted) || `${slug}.` < begun) continue
    // one more tells whether there is another page
    for await (const record of instance.list({ ...filter, limit: PAGE_SIZE + 1 - found.length })) found.push(record)
    if (found.length > PAGE_SIZE) break
  }
  const records = found.slice(0, PAGE_SIZE)
  return { records, next: found.length > PAGE_SIZE ? records.at(-1)?.key : undefined }
}
