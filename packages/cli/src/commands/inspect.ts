/** `retryproof inspect`: one record, decoded and redacted. */
import type { Inspection } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import {
  duration,
  expiryOf,
  isRouteSlug,
  leaseOf,
  neutralize,
  neutralizeLines,
  readRecord,
  redact,
  type ShownRecord,
  stateName,
  toShown,
} from '@retryproof/http/internal'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { printJson } from '../output/rows.ts'
import { type CommonOptions, namespaceOf, withTarget } from './context.ts'

export interface InspectOptions extends CommonOptions {
  readonly redact: boolean
}

export async function inspect(io: CliIo, key: string, options: InspectOptions): Promise<number> {
  const namespace = namespaceOf(key)
  return withTarget(io, options, async (target) => {
    const found = await readRecord(target.instance(target.namespace ?? namespace), key)
    if (!found)
      throw new CliError(
        `There is no record of ${key}. It has expired, was forgotten, or never was.`,
        exitCodes.notFound,
      )
    const shown = toShown(found, options.redact ? redact : (value) => value)
    if (options.json) printJson(io, shown)
    else io.write(describe(shown))
    return exitCodes.done
  })
}

/** The most characters of a value that a person is shown. */
const MAX_SHOWN = 4000

function describe(shown: ShownRecord): string {
  const { key, state, attempt, interrupted, token, request, value, error, unreadable } = shown
  const { namespace, operation } = partsOf(key)
  const lines: [string, string][] = [
    ['key', key],
    ['namespace', namespace],
    ['operation', operation],
    ['state', state],
    ['attempt', `${attempt}${interrupted ? ', an earlier one was interrupted: its outcome is unknown' : ''}`],
    ['token', String(token)],
    ['lease', leaseOf({ ...shown, state: state.replace('-', '_') as Inspection['state'] })],
    ['expires', expiryOf(shown)],
    ...present('request', request),
    ...present('value', value),
    ...present('error', error),
    ...present('unreadable', unreadable),
  ]
  const text = lines
    .filter(([, line]) => line !== '')
    .map(([name, line]) => `${name.padEnd(10)}  ${line}\n`)
    .join('')
  return `${text}${advice(state, key)}${unreadable === undefined ? '' : UNREADABLE}`
}

function present(name: string, value: unknown): [string, string][] {
  if (value === undefined) return []
  const json = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  const safe = neutralizeLines(json)
  const cut =
    safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}… (${safe.length} characters; --json gives all)` : safe
  return [[name, cut.replaceAll('\n', `\n${' '.repeat(12)}`)]]
}

/** The ways to settle a parked record. */
const ways = [
  ['--completed FILE', 'It happened, and callers get the value in FILE:'],
  ['--response FILE', 'It happened in a guarded route, and callers get the response in FILE:'],
  ['--failed MESSAGE', 'It failed for good, and callers get that failure:'],
  ['--rerun', 'It did not happen, and the next call runs:'],
] as const

const UNREADABLE = `
With --config FILE, values are read as your application reads them, with its codecs, keys and serializers. Do not forget the record: its
write is done, and would run again.
`

/** Says what a person can do about a record in this state. */
function advice(state: string, key: string): string {
  if (state !== 'parked') return ''
  const isRoute = isRouteSlug(partsOf(key).operation)
  const fitting = ways.filter(([flag]) => !isRoute || flag.startsWith('--response') || flag === '--rerun')
  return (
    '\nThe outcome is unknown. Find out what happened, then run one of:\n' +
    fitting.map(([flag, meaning]) => `  ${meaning}\n    retryproof resolve ${neutralize(key)} ${flag}\n`).join('')
  )
}

export const shortly = ({ state, attempt, retentionRemainingMs }: Inspection): string =>
  `${stateName(state)}, attempt ${attempt}, expires in ${duration(retentionRemainingMs)}`
