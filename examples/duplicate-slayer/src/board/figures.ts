/** Measurements of OpenTelemetry, added up over periods and workers. */

/** The rise of each counter, and a histogram of the store's calls. */
export interface Figures {
  readonly counters: Readonly<Record<string, number>>
  readonly storeCalls: Buckets
}

/** `counts[i]` calls took at most `boundaries[i]` seconds; the last, longer. */
export interface Buckets {
  readonly boundaries: readonly number[]
  readonly counts: readonly number[]
}

export const noFigures: Figures = { counters: {}, storeCalls: { boundaries: [], counts: [] } }

/** Adds up the measurements of two periods, or of two workers. */
export function addFigures(a: Figures, b: Figures): Figures {
  const counters = { ...a.counters }
  for (const [name, value] of Object.entries(b.counters)) counters[name] = (counters[name] ?? 0) + value
  return { counters, storeCalls: addBuckets(a.storeCalls, b.storeCalls) }
}

export function addBuckets(a: Buckets, b: Buckets): Buckets {
  if (a.counts.length === 0) return b
  return { boundaries: a.boundaries, counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)) }
}

/** The bucket's boundary, in milliseconds, below which this share of the calls stayed; undefined where there were none. */
export function quantileMs({ boundaries, counts }: Buckets, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let below = 0
  for (const [index, count] of counts.entries()) {
    below += count
    if (total > 0 && below >= total * share) return (boundaries[index] ?? Number.POSITIVE_INFINITY) * 1000
  }
  return undefined
}
