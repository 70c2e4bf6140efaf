import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import type { Format } from '../output/rows.ts'
import { openTarget, type TargetOptions } from '../target/open-target.ts'
import type { Target } from '../target/target.ts'

/** The options that every command has. */
export interface CommonOptions extends TargetOptions, Format {
  readonly yes?: boolean
}

type Work = (target: Target) => Promise<number>

/** Opens the store for a command, and closes it whatever happens. Returns the exit code: at the first Ctrl-C, at once. */
export function withTarget(io: CliIo, options: CommonOptions, work: Work): Promise<number> {
  return Promise.race([withTargetToTheEnd(io, options, work), interruption(io)])
}

/** Does the same for a command that looks at Ctrl-C itself, and may have something to say before it ends. */
export async function withTargetToTheEnd(io: CliIo, options: CommonOptions, work: Work): Promise<number> {
  const target = await openTarget(io, options)
  try {
    return await work(target)
  } catch (error) {
    throw target.explain?.(error) ?? error
  } finally {
    await target.close().catch(() => undefined)
  }
}

function interruption({ interrupted }: CliIo): Promise<number> {
  return new Promise((resolve) => {
    const end = () => resolve(exitCodes.interrupted)
    if (interrupted.aborted) end()
    else interrupted.addEventListener('abort', end, { once: true })
  })
}

/** Asks before something is destroyed. Without a person it takes --yes. */
export async function confirmed(io: CliIo, { yes }: CommonOptions, question: string): Promise<boolean> {
  if (yes) return true
  if (!io.canAsk) throw new CliError(`${question} Nobody can be asked here: give --yes.`)
  return io.confirm(question)
}

/** Returns the namespace in a storage key. @throws {@link CliError} when the text is no storage key */
export function namespaceOf(key: string): string {
  const match = /^([a-z0-9-]{1,24})\.[a-z0-9-]{1,40}\.[0-9a-f]{64}$/.exec(key)
  if (match?.[1]) return match[1]
  throw new CliError('KEY is not a key that `retryproof list` shows: <namespace>.<operation>.<64 hex characters>.')
}
