/** Runs one ending under one error handler in every form that it takes part in. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Application, Ending, Form } from './application.ts'
import type { ApplicationProcess } from './application-process.ts'
import { assertRecord, assertRetry, assertSameWire, leavesKeyHeld } from './wire/differences.ts'
import { type Asked, exchange } from './wire/exchange.ts'
import type { Wire } from './wire/wire.ts'

/** The time without an answer after which a handler that runs counts as one that never answers. */
const SILENCE_MS = 100
/** The same where the framework is known to leave the answer open, and may write a part of it before. */
const HANG_MS = 1_000

export interface Case {
  readonly application: Application
  /** The path of the ending. */
  readonly index: number
  readonly ending: Ending
  readonly errorHandler: string
}

/** The framework ends its process for this handler without a guard, so that there is no answer to compare with. */
export class BareProcessEnded extends Error {}

/** @throws {@link BareProcessEnded} when the process ends without a guard */
export async function runCase(process: ApplicationProcess, asked: Case): Promise<void> {
  const bare = await runForm(process, asked, 'bare')
  const { application, ending } = asked
  for (const form of application.forms) {
    const takesPart = form !== 'bare' && (ending.guarded?.includes(form) ?? true)
    if (takesPart) await runForm(process, asked, form, bare)
  }
}

async function runForm(process: ApplicationProcess, asked: Case, form: Form, bare?: Wire): Promise<Wire> {
  const { application, index, ending, errorHandler } = asked
  const path = `/${errorHandler}/${ending.path ?? ''}${index}`
  const request: Asked = {
    path,
    key: randomUUID(),
    ...(ending.headers && { headers: ending.headers }),
  }
  const isSilent = ending.end === 'silent'
  const hangs = form === 'bare' && ending.hangs?.includes(errorHandler)
  const send = async (patience?: Promise<void>) => {
    const wire = await exchange(application.protocol, process.ports[form] ?? 0, {
      ...request,
      ...(patience && { patience }),
    })
    const recorded = await process.recorded(!leavesKeyHeld(ending))
    const end = process.ended()
    if (end !== undefined && form === 'bare') throw new BareProcessEnded(end)
    assert.equal(end, undefined, `${form}: ${end}`)
    return { wire, recorded }
  }

  const silence = () => {
    if (!isSilent && !hangs) return undefined
    return process.hasRun().then(() => sleep(isSilent ? SILENCE_MS : HANG_MS))
  }

  await process.beginCase()
  const { wire: first, recorded } = await send(silence())
  if (!bare) return first
  const guarded = { application, ending, form, first, recorded }
  assertSameWire(guarded, bare, first)
  assertRecord(guarded)
  const { wire: retry, recorded: after } = await send()
  assertRetry(guarded, retry, after)
  return first
}
