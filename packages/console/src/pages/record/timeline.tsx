/** @jsxImportSource hono/jsx */
/** The attempts of a record: what the record tells, and what this process saw. */
import type { EventType, Inspection } from '@retryproof/core'
import { duration } from '@retryproof/http/internal'
import type { KeyActivity } from '../../records/activity.ts'

const SEEN: Readonly<Partial<Record<EventType, string>>> = {
  started: 'started',
  takeover: 'took over after an interrupted one',
  leaseLost: 'lost its lease',
  completed: 'completed',
  failed: 'failed for good',
  released: 'gave the key back',
  parked: 'was parked',
  unrecorded: 'was done, and its result could not be recorded',
  recoveryFailed: 'could not be recovered',
}

interface Entry {
  readonly atMs: number | undefined
  readonly text: string
}

export interface TimelineProps {
  readonly record: Inspection
  readonly activity: KeyActivity | undefined
  readonly now: number
}

export function Timeline({ record, activity, now }: TimelineProps) {
  const seen: readonly Entry[] = (activity?.moments ?? []).map(({ type, atMs, attempt }) => ({
    atMs,
    text: `${attempt === undefined ? 'The key' : `Attempt ${attempt}`} ${SEEN[type] ?? type}`,
  }))
  const entries = [...told(record, now), ...seen].sort((one, other) => (one.atMs ?? 0) - (other.atMs ?? 0))
  return (
    <section class="card" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <ol class="timeline">
        {entries.map(({ atMs, text }) => (
          <li>
            {atMs !== undefined && (
              <time datetime={new Date(atMs).toISOString()}>
                {new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC
                <span class="quiet"> {duration(Math.max(0, Math.floor((now - atMs) / 1000) * 1000))} ago</span>
              </time>
            )}
            <span>{text}</span>
          </li>
        ))}
      </ol>
      <p class="quiet">
        A record keeps its latest attempt and the number of those before. The rest is what this process saw.
      </p>
    </section>
  )
}

/** Lists the events that the record itself proves. A token is the time of its attempt by the store's clock, unless the clock was set back. */
function told({ attempt, interrupted, token, state }: Inspection, now: number): readonly Entry[] {
  const earlier = attempt - 1
  const tokenMs = Math.floor(token / 1000)
  const isTime = tokenMs > Date.UTC(2020) && tokenMs < now + 86_400_000
  const acquired = `Attempt ${attempt} acquired the key${isTime ? ' (store’s clock)' : ''}`
  return [
    ...(earlier > 0 ? [{ atMs: undefined, text: describeEarlier(earlier, interrupted) }] : []),
    { atMs: isTime ? tokenMs : undefined, text: acquired },
    ...(attempt === 1 && interrupted && state === 'parked'
      ? [{ atMs: undefined, text: 'Its lease expired before it settled' }]
      : []),
  ]
}

function describeEarlier(count: number, interrupted: boolean): string {
  if (count === 1)
    return interrupted ? '1 earlier attempt was interrupted: its outcome is unknown' : '1 earlier attempt'
  return `${count} earlier attempts${interrupted ? ', one of them interrupted: its outcome is unknown' : ''}`
}
