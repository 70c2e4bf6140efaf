/** @jsxImportSource hono/jsx */
/** Records by operation. */
import type { RecordCount, RecordState } from '@retryproof/core'
import { neutralize, stateName } from '@retryproof/http/internal'
import type { NamespaceCounts } from '../../records/namespaces.ts'
import { toQuery } from '../../records/record-filter.ts'
import type { PageContext } from '../page-context.ts'

const STATES: readonly RecordState[] = ['parked', 'in_progress', 'released', 'completed', 'failed']
const MAX_ROWS = 100

interface OperationsTableProps {
  readonly page: PageContext
  /** Undefined while they are counted. */
  readonly counted: readonly NamespaceCounts[] | undefined
}

export function OperationsTable({ page, counted }: OperationsTableProps) {
  const rows = (counted ?? []).flatMap(({ namespace, counts }) =>
    [...new Set(counts.map(({ operation }) => operation))].map((operation) => ({
      namespace,
      operation,
      own: counts.filter((count) => count.operation === operation),
    })),
  )
  return (
    <section class="card" aria-labelledby="operations">
      <h2 id="operations">Operations</h2>
      {rows.length === 0 ? (
        <p class="quiet">{counted ? 'The store holds no record.' : 'Their records are being counted.'}</p>
      ) : (
        <section class="scroll" tabindex={0} aria-label="Records by operation and state">
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">Operation</th>
                {STATES.map((state) => (
                  <th scope="col">{stateName(state).replace('-', ' ')}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, MAX_ROWS).map(({ namespace, operation, own }) => (
                <tr>
                  <th scope="row">
                    {counted && counted.length > 1 && <span class="quiet">{neutralize(namespace)} · </span>}
                    <bdi>{neutralize(operation)}</bdi>
                  </th>
                  {STATES.map((state) => (
                    <td>
                      <Count
                        page={page}
                        query={{ namespace, operation, state: stateName(state) }}
                        own={own}
                        state={state}
                      />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {rows.length > MAX_ROWS && <p class="quiet">{rows.length - MAX_ROWS} more operations: filter the records.</p>}
    </section>
  )
}

interface CountProps {
  readonly page: PageContext
  readonly query: Readonly<Record<string, string>>
  readonly own: readonly RecordCount[]
  readonly state: RecordState
}

function Count({ page, query, own, state }: CountProps) {
  const records = own.find((count) => count.state === state)?.records ?? 0
  if (records === 0) return <span class="quiet">0</span>
  return (
    <a class={state === 'parked' ? 'parked' : ''} href={page.link(`/records${toQuery(query)}`)}>
      {records.toLocaleString('en')}
    </a>
  )
}
