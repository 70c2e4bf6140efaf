import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defaultDashboard } from '@grafana/schema'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { instrument, instrumentRecords, instrumentStore, metrics } from '../src/index.ts'
import { dashboard } from './dashboard/dashboard.ts'
import { readQuery } from './promql.ts'
import { openWorld, playEverything } from './scenario.ts'

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly { alert: string; expr: string; annotations: Record<string, string> }[]
  }[]
}

/** The series that Prometheus would get from a service: the labels of each metric. */
async function scrape(): Promise<Map<string, Set<string>>> {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const world = openWorld((store) => instrumentStore(store, { meterProvider }))
    instrument(world.idempotency, { meterProvider })
    await playEverything(world)
    const stop = instrumentRecords(world.idempotency, { meterProvider })
    await world.idempotency.count()
    const page = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`)
    stop()
    return labelsByMetric(await page.text())
  } finally {
    server.close()
    await meterProvider.shutdown()
  }
}

function labelsByMetric(page: string): Map<string, Set<string>> {
  const metrics = new Map<string, Set<string>>()
  for (const [, name = '', labels = ''] of page.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    const known = metrics.get(name) ?? new Set()
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
    metrics.set(name, known)
  }
  return metrics
}

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')
const alerts = parse(read('../prometheus/alerts.yml')) as Alerts
const queries = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ title: `panel ${title}: ${legendFormat}`, expr, text: legendFormat })),
  ),
  ...alerts.groups.flatMap(({ rules }) =>
    rules.map(({ alert, expr, annotations }) => ({
      title: `alert ${alert}`,
      expr,
      text: Object.values(annotations).join(),
    })),
  ),
]
const exported = await scrape()

test('every metric is on the page, and every one is asked for by the dashboard', () => {
  const asked = dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => readQuery(expr).selectors))
  const families = [...exported.keys()].filter((name) => /^retryproof_/.test(name) && !/_(bucket|sum)$/.test(name))
  expect(families).toHaveLength(Object.keys(metrics).length)
  const histogram = (name: string) => name.replace(/_count$/, '_bucket')
  const unasked = families.filter((name) => !asked.some(({ matches }) => matches(name) || matches(histogram(name))))
  expect(unasked).toEqual([])
})

test('the file that Grafana imports is what the typed source says, in the newest version of the schema', async () => {
  expect(dashboard.schemaVersion).toBe(defaultDashboard.schemaVersion)
  expect(new Set(dashboard.panels.map(({ title }) => title)).size).toBe(dashboard.panels.length)
  await expect(`${JSON.stringify(dashboard, null, 2)}\n`).toMatchFileSnapshot('../grafana/dashboard.json')
})

describe.each(queries)('$title', ({ expr, text }) => {
  const query = readQuery(expr)

  test('is PromQL, and asks for metrics and labels that there are', () => {
    expect(query.errors).toEqual([])
    expect(query.selectors.length).toBeGreaterThan(0)
    for (const { matches, labels } of query.selectors) {
      const names = [...exported.keys()].filter(matches)
      expect(names, expr).toHaveLength(1)
      for (const name of names) {
        for (const label of [...labels, ...query.grouping]) expect([...(exported.get(name) ?? [])]).toContain(label)
      }
    }
  })

  test('shows only labels that it groups by', () => {
    const shown = [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label]) => label)
    for (const label of shown) expect(query.grouping).toContain(label)
  })
})

const definitions = (dashboard.templating?.list ?? []).flatMap((variable) =>
  'definition' in variable ? [String(variable.definition)] : [],
)
test.each(definitions)('variable %s', (definition) => {
  const [, metric = '', label = ''] = /^label_values\((\w+)(?:\{.*\})?, (\w+)\)$/.exec(definition) ?? []
  expect([...(exported.get(metric) ?? [])]).toContain(label)
})

test('histograms are found too where an exporter adds the unit to their names, as the specification asks', () => {
  const selectors = queries.flatMap(({ expr }) => readQuery(expr).selectors)
  const find = (name: string) => selectors.some(({ matches }) => matches(name))
  expect(find('retryproof_attempt_duration_seconds_bucket')).toBe(true)
  expect(find('retryproof_attempt_duration_seconds_count')).toBe(true)
  expect(find('retryproof_store_call_duration_seconds_bucket')).toBe(true)
})
