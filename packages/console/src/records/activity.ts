/** Counts events of this process: per minute for rates, and per key for the record's page. Nothing is written to a store. */
import { type EventType, eventTypes } from '@retryproof/core'
import type { ConsoleInstance } from '../options.ts'

export const MINUTES = 60
const MINUTE_MS = 60_000
const MAX_KEYS = 10_000
const MAX_MOMENTS = 20

export type EventCounts = Readonly<Partial<Record<EventType, number>>>

/** One event of a key. */
export interface Moment {
  readonly type: EventType
  readonly atMs: number
  readonly attempt: number | undefined
}

/** The events of one key, as far as this process saw them. */
export interface KeyActivity {
  readonly replays: number
  readonly lastSeenMs: number
  /** The latest ones, oldest first; no replays, conflicts and renewals. */
  readonly moments: readonly Moment[]
}

export interface Activity {
  readonly sinceMs: number
  /** The counts since the start. */
  totals(): EventCounts
  /** The counts of the last 60 minutes, oldest first; the last one is under way. */
  minutes(): readonly EventCounts[]
  of(key: string): KeyActivity | undefined
}

type Counts = Partial<Record<EventType, number>>

interface Seen {
  replays: number
  lastSeenMs: number
  moments: Moment[]
}

const QUIET: ReadonlySet<EventType> = new Set(['replayed', 'conflict', 'renewed', 'keyReused'])

export function observeActivity(instances: Iterable<ConsoleInstance>, now: () => number = Date.now): Activity {
  const sinceMs = now()
  const totals: Counts = {}
  const byMinute = new Map<number, Counts>()
  const byKey = new Map<string, Seen>()

  const see = (type: EventType, event: { readonly key: string; readonly attempt?: number }) => {
    const atMs = now()
    const minute = Math.floor(atMs / MINUTE_MS)
    const counts = byMinute.get(minute) ?? {}
    byMinute.set(minute, counts)
    for (const old of byMinute.keys()) if (old <= minute - MINUTES) byMinute.delete(old)
    for (const each of [totals, counts]) each[type] = (each[type] ?? 0) + 1
    const seen = byKey.get(event.key) ?? { replays: 0, lastSeenMs: atMs, moments: [] }
    // the key that was seen last stands last: the first one is dropped
    byKey.delete(event.key)
    byKey.set(event.key, seen)
    const [oldest] = byKey.keys()
    if (byKey.size > MAX_KEYS && oldest !== undefined) byKey.delete(oldest)
    seen.lastSeenMs = atMs
    if (type === 'replayed') seen.replays++
    if (QUIET.has(type)) return
    seen.moments.push({ type, atMs, attempt: event.attempt })
    if (seen.moments.length > MAX_MOMENTS) seen.moments.shift()
  }
  for (const instance of instances) for (const type of eventTypes) instance.on(type, (event) => see(type, event))

  return {
    sinceMs,
    totals: () => ({ ...totals }),
    minutes() {
      const last = Math.floor(now() / MINUTE_MS)
      return Array.from({ length: MINUTES }, (_, at) => ({ ...byMinute.get(last - MINUTES + 1 + at) }))
    },
    of: (key) => byKey.get(key),
  }
}
