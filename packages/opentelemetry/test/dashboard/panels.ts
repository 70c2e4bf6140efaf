/** Panels of Grafana, in the types of its own schema. */
import type { Dashboard, DataSourceRef, Panel, VariableModel } from '@grafana/schema'
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type {
  FieldConfig as SeriesFields,
  Options as SeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'

/** A query of the data source Prometheus. Its types are in no package of the schema. */
interface PrometheusQuery {
  readonly refId: string
  readonly datasource: DataSourceRef
  readonly expr: string
  readonly legendFormat: string
  readonly instant?: boolean
  readonly range?: boolean
  readonly exemplar?: boolean
}

/** A type of the schema as JSON has it: the values of an enumeration as plain text. */
export type Json<T> = T extends string ? `${T}` : T extends object ? { [Name in keyof T]: Json<T[Name]> } : T

export type DashboardJson = Json<Omit<Dashboard, 'panels'>> & { readonly panels: readonly PanelJson[] }
export type PanelJson = Json<Omit<Panel, 'targets'>> & {
  readonly title: string
  readonly targets: readonly PrometheusQuery[]
}

export const datasource: DataSourceRef = { type: 'prometheus', uid: '$datasource' }

export interface Place {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

/** A query, and the name of its series. */
export type Asked = readonly [legend: string, expr: string]

interface Described {
  readonly title: string
  readonly description: string
  readonly unit: 'short' | 'ops' | 's'
  readonly at: Place
}

/** One number. From `alarm` on it is red. */
export function stat({ title, description, unit, at, alarm, expr }: Described & { alarm?: number; expr: string }) {
  const options: Json<Partial<StatOptions>> = {
    reduceOptions: { calcs: ['lastNotNull'] },
    colorMode: 'value',
    graphMode: 'none',
    textMode: 'auto',
    wideLayout: true,
    justifyMode: 'auto',
    orientation: 'auto',
  }
  const steps = [{ value: null, color: 'green' }, ...(alarm === undefined ? [] : [{ value: alarm, color: 'red' }])]
  return {
    type: 'stat',
    title,
    description,
    datasource,
    gridPos: at,
    fieldConfig: {
      defaults: { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps }, unit },
      overrides: [],
    },
    options,
    targets: [{ refId: 'A', datasource, expr, legendFormat: title, instant: true }],
  } satisfies PanelJson
}

/** Lines over time. Exemplars of its queries lead to traces. */
export function series({ title, description, unit, at, asked }: Described & { asked: readonly Asked[] }) {
  const options: Json<SeriesOptions> = {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
    tooltip: { mode: 'multi', sort: 'desc' },
  }
  const custom: Json<SeriesFields> = { fillOpacity: 10, lineWidth: 2, showPoints: 'never' }
  return {
    type: 'timeseries',
    title,
    description,
    datasource,
    gridPos: at,
    fieldConfig: { defaults: { color: { mode: 'palette-classic' }, unit, custom: { ...custom } }, overrides: [] },
    options: { ...options },
    targets: asked.map(([legendFormat, expr], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat,
      range: true,
      exemplar: expr.includes('_bucket'),
    })),
  } satisfies PanelJson
}

/** A variable whose values are those of a label. */
export function labelVariable(name: string, label: string, definition: string) {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query: definition, refId: name },
    definition,
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
    sort: 1,
  } satisfies Json<VariableModel> & { definition: string }
}
