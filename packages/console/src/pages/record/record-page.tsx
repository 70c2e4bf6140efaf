/** @jsxImportSource hono/jsx */
/** One record: what it means, what happened, what was asked and answered, and what a person can do. */
import type { Inspection } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { expiryOf, type ShownRecord } from '@retryproof/http/internal'
import type { KeyActivity } from '../../records/activity.ts'
import { fittingActions } from '../../records/change-record.ts'
import { ACTION_TEXTS } from '../actions/action-texts.ts'
import { Layout } from '../layout.tsx'
import type { PageContext } from '../page-context.ts'
import { Lease, Notice, State, StorageKey } from '../parts.tsx'
import { MEANINGS } from './state-meanings.ts'
import { Timeline } from './timeline.tsx'
import { ValueCard } from './value-card.tsx'

export interface RecordPageProps {
  readonly page: PageContext
  readonly record: Inspection
  readonly shown: ShownRecord
  readonly activity: KeyActivity | undefined
  readonly notice: string | undefined
}

export function RecordPage({ page, record, shown, activity, notice }: RecordPageProps) {
  const { key, state } = record
  const isOpen = state !== 'completed' && state !== 'failed'
  return (
    <Layout page={page} title={`${state.replace('_', ' ')} ${partsOf(key).operation}`} live={isOpen ? 5 : undefined}>
      <p class="back">
        <a href={page.link('/records')}>← Records</a>
      </p>
      {notice !== undefined && <Notice kind="good">{notice}</Notice>}
      <h1 class="record">
        <StorageKey name={key} />
      </h1>
      <div data-live-region="record">
        <section class={`verdict ${state === 'parked' ? 'bad' : ''}`} aria-label="State">
          <h2>
            <State state={state} />
          </h2>
          <p>{MEANINGS[state]}</p>
          {page.mayChange && <Actions page={page} record={record} />}
        </section>
        <div class="columns">
          <Facts record={record} activity={activity} />
          <Timeline record={record} activity={activity} now={page.now.getTime()} />
        </div>
      </div>
      <ValueCard
        page={page}
        recordKey={key}
        part="request"
        title="Request"
        value={shown.request}
        missing={NO_REQUEST}
      />
      {shown.unreadable !== undefined && (
        <Notice kind="warning">
          The result cannot be read here: {shown.unreadable} Do not forget the record for that: the write is done.
        </Notice>
      )}
      {'value' in shown && <ValueCard page={page} recordKey={key} part="value" title="Result" value={shown.value} />}
      {'error' in shown && <ValueCard page={page} recordKey={key} part="error" title="Failure" value={shown.error} />}
    </Layout>
  )
}

const NO_REQUEST = 'The request was not kept, or cannot be read here. Operations keep it with the policy storeRequest.'

const Actions = ({ page, record }: { page: PageContext; record: Inspection }) => (
  <ul class="actions" aria-label="Actions">
    {fittingActions(record).map((action, at) => (
      <li>
        <a
          class={`button ${action === 'forget' ? 'danger' : at === 0 ? 'primary' : ''}`}
          href={page.link(`/records/${record.key}/${action}`)}
        >
          {ACTION_TEXTS[action].link}
        </a>
      </li>
    ))}
  </ul>
)

const Facts = ({ record, activity }: { record: Inspection; activity: KeyActivity | undefined }) => (
  <section class="card" aria-labelledby="facts">
    <h2 id="facts">Record</h2>
    <dl class="facts">
      <dt>Attempt</dt>
      <dd>
        {record.attempt}
        {record.interrupted && <span class="badge">an earlier one was interrupted</span>}
      </dd>
      <dt>Lease</dt>
      <dd>
        <Lease {...record} />
      </dd>
      <dt>Expires</dt>
      <dd>{expiryOf(record)}</dd>
      <dt>Fencing token</dt>
      <dd>
        <code>{record.token}</code>
      </dd>
      <dt>Fingerprint</dt>
      <dd>
        <code class="long">{record.fingerprint}</code>
      </dd>
      <dt>Replays</dt>
      <dd>
        {activity?.replays ?? 0} <span class="quiet">in this process</span>
      </dd>
    </dl>
  </section>
)
