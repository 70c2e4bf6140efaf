/** @jsxImportSource hono/jsx */
/** The list of records, with the filters that stand in its address. */
import type { ListedRecord } from '@retryproof/core'
import { expiryOf, STATES } from '@retryproof/http/internal'
import type { RecordPage } from '../../records/namespaces.ts'
import { type FilterTexts, toQuery } from '../../records/record-filter.ts'
import { Layout } from '../layout.tsx'
import type { PageContext } from '../page-context.ts'
import { Lease, Notice, State, StorageKey, typedText } from '../parts.tsx'
import { NamespaceField, ScopeField } from './find-form.tsx'

export interface RecordListProps {
  readonly page: PageContext
  readonly namespaces: readonly string[]
  readonly filter: FilterTexts
  readonly found: RecordPage
  /** Says what is wrong with the filters. */
  readonly problem?: string | undefined
  readonly notice?: string | undefined
}

export const RecordList = ({ page, namespaces, filter, found, problem, notice }: RecordListProps) => (
  <Layout page={page} title="Records" current="records" live={10}>
    <h1>Records</h1>
    {notice !== undefined && <Notice kind="good">{notice}</Notice>}
    {problem !== undefined && <Notice kind="bad">{problem}</Notice>}
    <Filters page={page} namespaces={namespaces} filter={filter} />
    <div data-live-region="records">
      {found.records.length === 0 ? (
        <p class="empty">{problem === undefined ? 'No record fits these filters.' : 'Nothing was read.'}</p>
      ) : (
        <RecordTable page={page} records={found.records} />
      )}
      <nav class="pages" aria-label="Pages">
        {filter.after !== undefined && (
          <a class="button" href={page.link(`/records${toQuery({ ...filter, after: '' })}`)}>
            First page
          </a>
        )}
        {found.next !== undefined && (
          <a class="button" rel="next" href={page.link(`/records${toQuery({ ...filter, after: found.next })}`)}>
            Next page
          </a>
        )}
      </nav>
    </div>
  </Layout>
)

const Filters = ({ page, namespaces, filter }: Pick<RecordListProps, 'page' | 'namespaces' | 'filter'>) => (
  <form class="fields card" action={page.link('/records')} aria-label="Filters">
    <NamespaceField namespaces={namespaces} chosen={filter.namespace} any="all" />
    <label>
      State
      <select name="state">
        <option value="">any</option>
        {Object.keys(STATES).map((name) => (
          <option value={name} selected={name === filter.state}>
            {name.replace('-', ' ')}
          </option>
        ))}
      </select>
    </label>
    <label>
      Operation
      <input
        name="operation"
        maxlength={255}
        value={typedText(filter.operation ?? '')}
        placeholder="any"
        autocomplete="off"
      />
    </label>
    <label>
      Stuck for at least
      <input name="stuck" value={typedText(filter.stuck ?? '')} placeholder="10m" size={6} autocomplete="off" />
    </label>
    <ScopeField value={filter.scope} isRequired={false} />
    <div class="buttons">
      <button type="submit">Filter</button>
      <a href={page.link('/records')}>Show all</a>
    </div>
  </form>
)

const RecordTable = ({ page, records }: { page: PageContext; records: readonly ListedRecord[] }) => (
  <table class="records">
    <thead>
      <tr>
        {['State', 'Key', 'Attempt', 'Lease', 'Expires'].map((name) => (
          <th scope="col">{name}</th>
        ))}
      </tr>
    </thead>
    <tbody>
      {records.map((record) => (
        <tr>
          <td>
            <State state={record.state} />
          </td>
          <td>
            <a href={page.link(`/records/${record.key}`)}>
              <StorageKey name={record.key} short />
            </a>
          </td>
          <td data-label="Attempt">
            {record.attempt}
            {record.interrupted && <span class="badge">interrupted</span>}
          </td>
          <td data-label="Lease">
            <Lease {...record} />
          </td>
          <td data-label="Expires">{expiryOf(record)}</td>
        </tr>
      ))}
    </tbody>
  </table>
)
