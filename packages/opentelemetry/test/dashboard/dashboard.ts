/** The source of grafana/dashboard.json: `npx vitest run -u test/queries.test.ts` writes it. */
import { type Asked, type DashboardJson, labelVariable, type PanelJson, type Place, series, stat } from './panels.ts'

const IN_NAMESPACE = 'retryproof_namespace=~"$namespace"'
const IN_OPERATION = `${IN_NAMESPACE}, retryproof_operation=~"$operation"`

const rate = (metric: string, by = '', within = IN_OPERATION) =>
  `sum ${by}(rate(${metric}{${within}}[$__rate_interval]))`
const total = (metric: string, within = IN_OPERATION) => `sum (increase(${metric}{${within}}[$__range])) or vector(0)`
const quantile = (share: number, histogram: string, by: string, within: string) =>
  `histogram_quantile(${share}, sum by (${by}) (rate({__name__=~"${histogram}(_seconds)?_bucket"${within}}[$__rate_interval])))`

/** The same records as counted by each process of a fleet, once. */
const recordsBy = (labels: string, more = '') =>
  `max by (retryproof_namespace, ${labels}) (retryproof_records{${IN_NAMESPACE}${more}})`

const attempts = 'retryproof_attempt_duration'
const attemptQuantile = (share: number): Asked => [
  `p${share * 100}`,
  quantile(share, attempts, 'le', `, ${IN_OPERATION}`),
]

const EVENTS = [
  ['Executions', 'Handlers that ran, in the chosen time.', 'retryproof_executions_total'],
  ['Replays', 'Calls that were answered from a record: writes that did not happen twice.', 'retryproof_replays_total'],
  ['Conflicts', 'Callers that were told that another attempt holds their key.', 'retryproof_conflicts_total'],
  [
    'Keys reused',
    'Known keys with another payload: a client with a bug, or an attack.',
    'retryproof_key_reuses_total',
    1,
  ],
  [
    'Takeovers',
    'Attempts after one that fell silent: a process died, or stalled past its lease.',
    'retryproof_takeovers_total',
    1,
  ],
  ['Parkings', 'Keys that were parked, in the chosen time.', 'retryproof_parked_total', 1],
  [
    'Unrecorded',
    'Effects that are done, and that no record tells of: a retry may repeat them.',
    'retryproof_unrecorded_results_total',
    1,
  ],
] as const

const columns = (index: number, y: number): Place => ({ x: index * 3, y, w: 3, h: 4 })
const left = (y: number): Place => ({ x: 0, y, w: 12, h: 8 })
const right = (y: number): Place => ({ x: 12, y, w: 12, h: 8 })
const slug = 'retryproof_operation_slug'
const state = 'retryproof_record_state'

const panels: readonly PanelJson[] = [
  ...EVENTS.map(([title, description, metric, alarm], index) =>
    stat({ title, description, unit: 'short', at: columns(index, 0), expr: total(metric), ...(alarm && { alarm }) }),
  ),
  stat({
    title: 'Store errors',
    description: 'Calls of the store that failed, or took too long.',
    unit: 'short',
    at: columns(7, 0),
    alarm: 1,
    expr: total('retryproof_store_errors_total', IN_NAMESPACE),
  }),
  stat({
    title: 'Records',
    description: 'Live records, by instrumentRecords().',
    unit: 'short',
    at: { x: 0, y: 4, w: 5, h: 4 },
    expr: `sum (${recordsBy(`${slug}, ${state}`)})`,
  }),
  stat({
    title: 'Parked now',
    description: 'Keys that wait for a person.',
    unit: 'short',
    at: { x: 5, y: 4, w: 5, h: 4 },
    alarm: 1,
    expr: `sum (${recordsBy(slug, `, ${state}="parked"`)}) or vector(0)`,
  }),
  stat({
    title: 'Stuck now',
    description: 'Records in progress whose lease has expired, and which no retry has taken over.',
    unit: 'short',
    at: { x: 10, y: 4, w: 5, h: 4 },
    alarm: 1,
    expr: `sum (max by (retryproof_namespace) (retryproof_stuck_records{${IN_NAMESPACE}}))`,
  }),
  stat({
    title: 'Oldest expired lease',
    description: 'The longest time since such a lease expired.',
    unit: 's',
    at: { x: 15, y: 4, w: 5, h: 4 },
    alarm: 600,
    expr: `max ({__name__=~"retryproof_stuck_age(_seconds)?", ${IN_NAMESPACE}})`,
  }),
  stat({
    title: 'Failed recoveries',
    description: 'Records that a pass of recover() could not finish.',
    unit: 'short',
    at: { x: 20, y: 4, w: 4, h: 4 },
    alarm: 1,
    expr: total('retryproof_recovery_failures_total'),
  }),
  series({
    title: 'Executions and replays',
    description: 'The rate of what ran, and of what was answered without running.',
    unit: 'ops',
    at: left(8),
    asked: [
      ['executions', rate('retryproof_executions_total')],
      ['replays', rate('retryproof_replays_total')],
      ['conflicts', rate('retryproof_conflicts_total')],
      ['keys reused', rate('retryproof_key_reuses_total')],
    ],
  }),
  series({
    title: 'Records by state',
    description: 'Live records, by instrumentRecords().',
    unit: 'short',
    at: right(8),
    asked: [[`{{${state}}}`, `sum by (${state}) (${recordsBy(`${slug}, ${state}`)})`]],
  }),
  series({
    title: 'Attempts by outcome',
    description: 'The records of completed and failed attempts answer retries; a released key runs again.',
    unit: 'ops',
    at: left(16),
    asked: [
      [
        '{{retryproof_outcome}}',
        `sum by (retryproof_outcome) (rate({__name__=~"${attempts}(_seconds)?_count", ${IN_OPERATION}}[$__rate_interval]))`,
      ],
    ],
  }),
  series({
    title: 'Duration of attempts',
    description: 'From acquiring the key to settling or releasing it.',
    unit: 's',
    at: right(16),
    asked: [attemptQuantile(0.5), attemptQuantile(0.95), attemptQuantile(0.99)],
  }),
  series({
    title: 'Silence',
    description: 'Leases lost, keys taken over, results unrecorded, keys parked.',
    unit: 'ops',
    at: left(24),
    asked: [
      ['lease losses', rate('retryproof_lease_losses_total')],
      ['takeovers', rate('retryproof_takeovers_total')],
      ['unrecorded', rate('retryproof_unrecorded_results_total')],
      ['parked', rate('retryproof_parked_total')],
    ],
  }),
  series({
    title: 'Executions by operation',
    description: 'Operations that are no pattern are _other.',
    unit: 'ops',
    at: right(24),
    asked: [['{{retryproof_operation}}', rate('retryproof_executions_total', 'by (retryproof_operation) ')]],
  }),
  series({
    title: 'Store latency (p95)',
    description: 'Of stores that were given to instrumentStore().',
    unit: 's',
    at: left(32),
    asked: [
      ['{{retryproof_store_call}}', quantile(0.95, 'retryproof_store_call_duration', 'le, retryproof_store_call', '')],
    ],
  }),
  series({
    title: 'Store errors by call',
    description: 'By call and type.',
    unit: 'ops',
    at: right(32),
    asked: [
      [
        '{{retryproof_store_call}} {{error_type}}',
        rate('retryproof_store_errors_total', 'by (retryproof_store_call, error_type) ', IN_NAMESPACE),
      ],
    ],
  }),
  series({
    title: 'Renewals',
    description: 'Leases renewed by attempts that take long.',
    unit: 'ops',
    at: left(40),
    asked: [['{{retryproof_operation}}', rate('retryproof_lease_renewals_total', 'by (retryproof_operation) ')]],
  }),
]

export const dashboard: DashboardJson = {
  title: 'Retryproof',
  uid: 'retryproof',
  description: 'Executions, replays, and the records that need a person.',
  tags: ['idempotency'],
  schemaVersion: 42,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: '30s',
  timezone: 'browser',
  time: { from: 'now-6h', to: 'now' },
  templating: {
    list: [
      { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
      labelVariable('namespace', 'Namespace', 'label_values(retryproof_executions_total, retryproof_namespace)'),
      labelVariable(
        'operation',
        'Operation',
        `label_values(retryproof_executions_total{${IN_NAMESPACE}}, retryproof_operation)`,
      ),
    ],
  },
  panels: panels.map((panel, index) => ({ id: index + 1, ...panel })),
}
