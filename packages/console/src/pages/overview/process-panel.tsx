/** @jsxImportSource hono/jsx */
/** Shows the events of this process in the last hour. */
import { duration } from '@retryproof/http/internal'
import { type Activity, type EventCounts, MINUTES } from '../../records/activity.ts'

/** Rates are those of the last five minutes. */
const RATED_MINUTES = 5

export function ProcessPanel({ activity, now }: { activity: Activity; now: number }) {
  const totals = activity.totals()
  const minutes = activity.minutes()
  const of = (...types: (keyof EventCounts)[]) => types.reduce((sum, type) => sum + (totals[type] ?? 0), 0)
  const sinceMs = now - activity.sinceMs
  const ratedMinutes = Math.min(RATED_MINUTES, Math.max(1, Math.ceil(sinceMs / 60_000)))
  const rate = (type: keyof EventCounts) => {
    const recent = minutes.slice(-ratedMinutes).reduce((sum, each) => sum + (each[type] ?? 0), 0)
    return `${(recent / ratedMinutes).toFixed(1)}/min`
  }
  return (
    <section class="card" aria-labelledby="process">
      <h2 id="process">This process</h2>
      <p class="quiet">
        Counted from its events since it started, {duration(sinceMs)} ago. Other processes count their own.
      </p>
      <Chart minutes={minutes} />
      <dl class="figures">
        <Figure name="Replays saved" value={of('replayed')} note={rate('replayed')} />
        <Figure name="Handlers run" value={of('started')} note={rate('started')} />
        <Figure name="Told to wait" value={of('conflict')} note={rate('conflict')} />
        <Figure name="Takeovers" value={of('takeover')} />
        <Figure name="Leases lost" value={of('leaseLost')} />
        <Figure name="Results unrecorded" value={of('unrecorded')} />
        <Figure name="Store failures" value={of('storeUnavailable')} />
      </dl>
    </section>
  )
}

const Figure = ({ name, value, note }: { name: string; value: number; note?: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>
      {value.toLocaleString('en')} {note !== undefined && <span class="quiet">{note}</span>}
    </dd>
  </div>
)

const HEIGHT = 48
const STEP = 5

function Chart({ minutes }: { minutes: readonly EventCounts[] }) {
  const of = (type: keyof EventCounts) => minutes.map((each) => each[type] ?? 0)
  const [runs, replays] = [of('started'), of('replayed')]
  const highest = Math.max(1, ...runs.map((count, at) => count + (replays[at] ?? 0)))
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)
  const bar = (kind: string, at: number, from: number, count: number) =>
    count > 0 && (
      <rect
        class={kind}
        x={at * STEP}
        y={HEIGHT - ((from + count) / highest) * HEIGHT}
        width={STEP - 1}
        height={(count / highest) * HEIGHT}
      />
    )
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${MINUTES * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`In the last hour, ${sum(runs)} handlers ran and ${sum(replays)} answers were replayed.`}
      >
        {minutes.map((_, at) => bar('runs', at, 0, runs[at] ?? 0))}
        {minutes.map((_, at) => bar('replays', at, runs[at] ?? 0, replays[at] ?? 0))}
      </svg>
      <figcaption class="quiet">
        <span class="swatch runs"></span> handlers run <span class="swatch replays"></span> replayed, each minute of the
        last hour
      </figcaption>
    </figure>
  )
}
