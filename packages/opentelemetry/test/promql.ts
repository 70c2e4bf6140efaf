/** Reads a PromQL query by Prometheus's own grammar. */
import { parser } from '@prometheus-io/lezer-promql'

export interface Selector {
  /** The metrics that it reads. */
  readonly matches: (name: string) => boolean
  readonly labels: readonly string[]
}

export interface Query {
  readonly selectors: readonly Selector[]
  /** The labels of `by (…)`. */
  readonly grouping: readonly string[]
  /** The positions at which the text is no PromQL. */
  readonly errors: readonly string[]
}

/** Grafana's variables are filled in first, as Grafana does. */
export function readQuery(text: string): Query {
  const query = text
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$(namespace|operation)/g, '.*')
  const selectors: Selector[] = []
  const grouping: string[] = []
  const errors: string[] = []
  parser.parse(query).iterate({
    enter: ({ name, from, to, node }) => {
      if (name === '⚠') errors.push(`${query.slice(0, from)}»${query.slice(from)}`)
      if (name === 'VectorSelector') selectors.push(readSelector(query.slice(from, to)))
      if (name === 'LabelName' && node.parent?.name === 'GroupingLabels') grouping.push(query.slice(from, to))
    },
  })
  return { selectors, grouping, errors }
}

function readSelector(text: string): Selector {
  const matchers = [...text.matchAll(/(\w+)\s*(?:=~|=)\s*"([^"]*)"/g)].map(([, label = '', value = '']) => ({
    label,
    value,
  }))
  const byName = matchers.find(({ label }) => label === '__name__')
  const pattern = new RegExp(`^(?:${byName ? byName.value : (/^\w+/.exec(text)?.[0] ?? '')})$`)
  return {
    matches: (name) => pattern.test(name),
    labels: matchers.map(({ label }) => label).filter((label) => label !== '__name__'),
  }
}
