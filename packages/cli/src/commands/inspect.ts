/** `retryproof inspect`: one record, decoded and redacted. */
import type { Idempotency, Inspection } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { responseSerializer } from '@retryproof/http'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { duration } from '../output/durations.ts'
import { neutralize, neutralizeLines } from '../output/neutralize.ts'
import { redact } from '../output/redact.ts'
import { bytesAsText, printJson } from '../output/rows.ts'
import { type CommonOptions, namespaceOf, withTarget } from './context.ts'
import { expiryOf, leaseOf, stateName } from './list.ts'

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
    const shown = toShown(key, found, options.redact ? redact : (value) => value)
    if (options.json) printJson(io, shown)
    else io.write(describe(shown))
    return exitCodes.done
  })
}

/** Reads a record with the codecs that are there, and the responses of guarded routes. */
export async function readRecord(idempotency: Idempotency, key: string): Promise<Inspection | null> {
  const found = await idempotency.inspect({ key })
  if (!found?.unreadable) return found
  const { operation } = partsOf(key)
  const response = await idempotency.operation(operation, { serializer: responseSerializer }).inspect({ key })
  return response?.unreadable ? found : response
}

interface Shown {
  readonly key: string
  readonly state: string
  readonly attempt: number
  readonly interrupted: boolean
  readonly token: number
  readonly leaseRemainingMs: number
  readonly retentionRemainingMs: number
  readonly request?: unknown
  readonly value?: unknown
  readonly error?: unknown
  readonly unreadable?: string
}

function toShown(
  key: string,
  { state, value, error, request, unreadable, ...head }: Inspection,
  clean: (value: unknown) => unknown,
): Shown {
  return {
    key,
    ...head,
    state: stateName(state),
    ...(request && { request: clean({ ...request, scope: typeof request.scope === 'symbol' ? null : request.scope }) }),
    ...(value !== undefined && { value: clean(readable(value)) }),
    ...(error !== undefined && { error: clean(errorAsValue(error)) }),
    ...(unreadable && { unreadable: unreadable.message }),
  }
}

/** A response of a guarded route with its body as text or JSON. */
function readable(value: unknown): unknown {
  const { body, headers } = Object(value) as { body?: unknown; headers?: unknown }
  if (!(body instanceof Uint8Array) || !Array.isArray(headers)) return value
  const text = bytesAsText(body)
  return { ...(value as object), body: typeof text === 'string' ? jsonOr(text) : text }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function errorAsValue(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, ...members } = error
  return { name: error.name, message: error.message, ...members, ...(name !== undefined && { name }) }
}

/** The most characters of a value that a person is shown. */
const MAX_SHOWN = 4000

function describe(shown: Shown): string {
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
  const text = lines.map(([name, line]) => `${name.padEnd(10)}  ${line}\n`).join('')
  return `${text}${advice(state, key)}`
}

function present(name: string, value: unknown): [string, string][] {
  if (value === undefined) return []
  const json = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  const safe = neutralizeLines(json)
  const cut =
    safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}… (${safe.length} characters; --json gives all)` : safe
  return [[name, cut.replaceAll('\n', `\n${' '.repeat(12)}`)]]
}

/** Says what a person can do about a record in this state. */
function advice(state: string, key: string): string {
  if (state !== 'parked') return ''
  return (
    '\nThe outcome is unknown. Find out what happened, then run one of:\n' +
    `  retryproof resolve ${neutralize(key)} --completed FILE   it happened: callers get the value in FILE\n` +
    `  retryproof resolve ${neutralize(key)} --response FILE    it happened, in a guarded route\n` +
    `  retryproof resolve ${neutralize(key)} --rerun            it did not happen: the next call runs\n`
  )
}

export const shortly = ({ state, attempt, retentionRemainingMs }: Inspection): string =>
  `${stateName(state)}, attempt ${attempt}, expires in ${duration(retentionRemainingMs)}`
