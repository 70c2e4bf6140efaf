/** @jsxImportSource hono/jsx */
/** The first page: whether somebody is needed, what there is, and what this process does. */
import type { RecordCount, RecordState } from '@retryproof/core'
import { duration, stateName } from '@retryproof/http/internal'
import type { Activity } from '../../records/activity.ts'
import type { Counted } from '../../records/namespaces.ts'
import { toQuery } from '../../records/record-filter.ts'
import { Layout } from '../layout.tsx'
import { FindForm } from '../list/find-form.tsx'
import type { PageContext } from '../page-context.ts'
import { Notice } from '../parts.tsx'
import { OperationsTable } from './operations-table.tsx'
import { ProcessPanel } from './process-panel.tsx'

export interface OverviewProps {
  readonly page: PageContext
  readonly namespaces: readonly string[]
  /** Undefined while the first count is under way. */
  readonly counted: Counted | undefined
  readonly activity: Activity
  readonly notice: string | undefined
}

export function Overview({ page, namespaces, counted, activity, notice }: OverviewProps) {
  const counts = counted?.namespaces.flatMap(({ counts }) => counts)
  const inState = (state: RecordState) => counts && sum(counts, (count) => (count.state === state ? count.records : 0))
  const parked = inState('parked')
  const stuck = counts && sum(counts, ({ leaseExpired }) => leaseExpired)
  const oldestMs = Math.max(0, ...(counts ?? []).map(({ longestExpiredMs }) => longestExpiredMs))
  const title = parked ? `${parked.toLocaleString('en')} parked` : 'Overview'
  return (
    <Layout page={page} title={title} current="overview" live={5}>
      <h1>Overview</h1>
      {notice !== undefined && <Notice kind="good">{notice}</Notice>}
      <div data-live-region="overview">
        <Verdict page={page} parked={parked} stuck={stuck} oldestMs={oldestMs} />
        {counted?.isEarlier && (
          <p class="quiet">
            Counted at {new Date(counted.atMs).toISOString().slice(11, 19)} UTC. A newer count is under way: the table
            is large.
          </p>
        )}
        <ul class="tiles" aria-label="Records by state">
          <Tile
            page={page}
            name="Parked"
            count={parked}
            query={{ state: 'parked' }}
            hint="wait for a person"
            kind="parked"
          />
          <Tile
            page={page}
            name="Lease expired"
            count={stuck}
            query={{ state: 'in-progress', stuck: '1s' }}
            hint={oldestMs > 0 ? `oldest ${duration(oldestMs)} ago` : 'nobody at work'}
            kind="overdue"
          />
          {calm.map(([state, name, hint]) => (
            <Tile page={page} name={name} count={inState(state)} query={{ state: stateName(state) }} hint={hint} />
          ))}
        </ul>
        <div class="columns">
          <ProcessPanel activity={activity} now={page.now.getTime()} />
          <OperationsTable page={page} counted={counted?.namespaces} />
        </div>
      </div>
      <FindForm page={page} namespaces={namespaces} />
    </Layout>
  )
}

/** The states in which nobody is needed. */
const calm: readonly (readonly [state: RecordState, name: string, hint: string])[] = [
  ['in_progress', 'In progress', 'held by an attempt'],
  ['released', 'Released', 'free for a retry'],
  ['completed', 'Completed', 'retries are replayed'],
  ['failed', 'Failed', 'retries get the failure'],
]

const sum = (counts: readonly RecordCount[], pick: (count: RecordCount) => number) =>
  counts.reduce((all, count) => all + pick(count), 0)

interface VerdictProps {
  readonly page: PageContext
  readonly parked: number | undefined
  readonly stuck: number | undefined
  readonly oldestMs: number
}

function Verdict({ page, parked, stuck, oldestMs }: VerdictProps) {
  if (parked === undefined || stuck === undefined) {
    return (
      <section class="verdict">
        <h2>The records are being counted</h2>
        <p>
          The table is large, and its count takes a while. Load the page again, or look at the parked keys meanwhile.
        </p>
        <a class="button" href={page.link('/records?state=parked')}>
          Show parked keys
        </a>
      </section>
    )
  }
  if (parked > 0) {
    return (
      <section class="verdict bad">
        <h2>{parked === 1 ? '1 key is parked' : `${parked.toLocaleString('en')} keys are parked`}</h2>
        <p>
          An attempt was interrupted, and its outcome is unknown. Its client gets 409 until you find out what happened,
          and say so here.
        </p>
        <a class="button primary" href={page.link('/records?state=parked')}>
          Show parked keys
        </a>
      </section>
    )
  }
  if (stuck > 0) {
    return (
      <section class="verdict warning">
        <h2>{stuck === 1 ? '1 lease has expired' : `${stuck.toLocaleString('en')} leases have expired`}</h2>
        <p>
          The process behind an attempt died or hung, {duration(oldestMs)} ago at most. The next retry of its client
          takes over. Nothing is lost if you wait.
        </p>
        <a class="button" href={page.link(`/records${toQuery({ state: 'in-progress', stuck: '1s' })}`)}>
          Show expired leases
        </a>
      </section>
    )
  }
  return (
    <section class="verdict good">
      <h2>Nothing waits for you</h2>
      <p>No key is parked, and no lease has expired.</p>
    </section>
  )
}

interface TileProps {
  readonly page: PageContext
  readonly name: string
  /** Undefined while it is counted. */
  readonly count: number | undefined
  readonly query: Readonly<Record<string, string>>
  readonly hint: string
  /** Colors the number unless it is 0. */
  readonly kind?: 'parked' | 'overdue'
}

const Tile = ({ page, name, count, query, hint, kind }: TileProps) => (
  <li>
    <a class={`tile ${count && kind ? kind : ''}`} href={page.link(`/records${toQuery(query)}`)}>
      <span class="name">{name}</span>
      <span class="count">{count?.toLocaleString('en') ?? '…'}</span>
      <span class="quiet">{hint}</span>
    </a>
  </li>
)
