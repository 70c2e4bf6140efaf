/** Commands that change records: resolve, forget, erase. */
import type { Idempotency, Inspection } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { type GivenResponse, resolveResponse } from '@retryproof/http'
import { isRouteSlug, neutralize, readRecord, stateName } from '@retryproof/http/internal'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { printJson } from '../output/rows.ts'
import { readJson } from '../target/read-json.ts'
import { type CommonOptions, confirmed, namespaceOf, withTarget } from './context.ts'
import { shortly } from './inspect.ts'

export interface ResolveOptions extends CommonOptions {
  readonly completed?: string
  readonly response?: string
  readonly failed?: string
  readonly rerun?: boolean
}

export async function resolve(io: CliIo, key: string, options: ResolveOptions): Promise<number> {
  const namespace = namespaceOf(key)
  const { completed, response, failed, rerun } = options
  if ([completed, response, failed, rerun].filter((each) => each !== undefined).length !== 1)
    throw new CliError('Say what happened, with one of --completed FILE, --response FILE, --failed MESSAGE, --rerun.')
  const { operation } = partsOf(key)
  if (completed !== undefined && isRouteSlug(operation))
    throw new CliError(
      `${operation} looks like a guarded route, whose callers read responses: give --response FILE with { "status", ` +
        '"headers", "body" }.',
      exitCodes.refused,
    )
  const file = completed ?? response
  const given = file === undefined ? undefined : await readJson(io.cwd, file)
  return withTarget(io, options, async (target) => {
    const idempotency = target.instance(target.namespace ?? namespace)
    const found = await requireRecord(idempotency, key)
    if (found.state !== 'parked')
      throw new CliError(
        `Only a parked record can be resolved; this one is ${stateName(found.state)}.`,
        exitCodes.refused,
      )
    const question = `Resolve ${key} (${shortly(found)}): ${effectOf(options)}?`
    if (!(await confirmedFor(io, options, idempotency, found, question))) return exitCodes.refused
    const record = { key, token: found.token }
    if (response !== undefined) await resolveResponse(idempotency, record, given as GivenResponse)
    else if (completed !== undefined) await idempotency.resolve(record, { completed: given })
    else if (failed !== undefined) await idempotency.resolve(record, { failed: new Error(failed) })
    else await idempotency.resolve(record, 'rerun')
    return told(io, options, { key, resolved: true }, `Resolved ${key}.`)
  })
}

async function requireRecord(idempotency: Idempotency, key: string): Promise<Inspection> {
  const found = await readRecord(idempotency, key)
  if (!found) throw new CliError(`There is no record of ${key}.`, exitCodes.notFound)
  return found
}

/** Asks about a record, and looks again: while a person thinks, a retry may change it. */
async function confirmedFor(
  io: CliIo,
  options: CommonOptions,
  idempotency: Idempotency,
  { key, state, token }: Inspection,
  question: string,
): Promise<boolean> {
  if (!(await confirmed(io, options, question))) return false
  const now = await requireRecord(idempotency, key)
  if (now.state === state && now.token === token) return true
  throw changed(key, shortly(now))
}

const changed = (key: string, now: string) =>
  new CliError(
    `The record of ${key} has changed since the question: ${now}. Nothing was done. Inspect it, and try again.`,
    exitCodes.refused,
  )

function effectOf({ completed, response, failed }: ResolveOptions): string {
  if (completed !== undefined || response !== undefined) return 'every retry gets the result in the file'
  return failed !== undefined ? 'every retry gets this failure' : 'the next call runs the handler again'
}

export async function forget(io: CliIo, key: string, options: CommonOptions): Promise<number> {
  const namespace = namespaceOf(key)
  return withTarget(io, options, async (target) => {
    const idempotency = target.instance(target.namespace ?? namespace)
    const found = await requireRecord(idempotency, key)
    const question = `Forget ${key} (${shortly(found)})? The next request with this key runs again.`
    if (!(await confirmedFor(io, options, idempotency, found, question))) return exitCodes.refused
    if (!(await idempotency.forget({ key, token: found.token })))
      throw changed(key, 'it is gone, or of another attempt')
    return told(io, options, { key, forgotten: true }, `Forgot ${key}.`)
  })
}

export interface EraseOptions extends CommonOptions {
  readonly scope: readonly string[]
}

export async function erase(io: CliIo, options: EraseOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    const idempotency = target.instance()
    let records = 0
    for await (const _ of idempotency.list({ scope: options.scope })) records++
    const scope = JSON.stringify(options.scope)
    if (records === 0) throw new CliError(`There are no records of the scope ${neutralize(scope)}.`, exitCodes.notFound)
    const question = `Erase ${counted(records)} of the scope ${neutralize(scope)} in ${idempotency.namespace}? Their keys run again.`
    if (!(await confirmed(io, options, question))) return exitCodes.refused
    const interrupted = () => io.writeError('\nSome of these records may be erased. Run it again for the others.\n')
    io.interrupted.addEventListener('abort', interrupted, { once: true })
    const erased = await idempotency.eraseScope(options.scope)
    io.interrupted.removeEventListener('abort', interrupted)
    return told(io, options, { scope: options.scope, erased }, `Erased ${counted(erased)}.`)
  })
}

function told(io: CliIo, { json }: CommonOptions, result: object, sentence: string): number {
  if (json) printJson(io, result)
  else io.write(`${neutralize(sentence)}\n`)
  return exitCodes.done
}

const counted = (records: number) => `${records} ${records === 1 ? 'record' : 'records'}`
