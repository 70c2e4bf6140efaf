/** Commands about the server: schema, migrate, check. */
import { isIdempotencyError } from '@retryproof/core'
import { neutralize, withoutAddress } from '@retryproof/http/internal'
import { type Finding, together } from '../checks/finding.ts'
import { probe } from '../checks/probe.ts'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { CliIo } from '../io.ts'
import { printJson } from '../output/rows.ts'
import { type CommonOptions, withTarget } from './context.ts'

const NO_SCHEMA = 'The configuration exports an instance, which hides its schema: use --store with an address.'

export async function schema(io: CliIo, options: CommonOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    if (!target.schema) throw new CliError(NO_SCHEMA)
    if (options.json) printJson(io, { schema: target.schema() })
    else io.write(target.schema())
    return exitCodes.done
  })
}

export interface MigrateOptions extends CommonOptions {
  readonly dryRun?: boolean
}

export async function migrate(io: CliIo, options: MigrateOptions): Promise<number> {
  if (options.dryRun) return schema(io, options)
  return withTarget(io, options, async (target) => {
    if (!target.migrate) throw new CliError('The configuration exports no migrate function.')
    await target.migrate()
    if (options.json) printJson(io, { migrated: true })
    else io.write('The schema is in place.\n')
    return exitCodes.done
  })
}

export async function check(io: CliIo, options: CommonOptions): Promise<number> {
  return withTarget(io, options, async (target) => {
    if (!target.store) throw new CliError('The configuration exports no store: export const store = …')
    const probed = await probe(target.store)
    const found = target.findings?.().catch((error: unknown) => {
      // a server that refuses the probe refuses these questions, too
      if (probed.length === 0) throw error
      return []
    })
    const findings = together((await found) ?? [], probed).map(({ level, finding, advice }) => ({
      level,
      finding: withoutAddress(finding, options.store ?? io.env.RETRYPROOF_STORE),
      advice,
    }))
    if (options.json) printJson(io, { findings })
    else if (findings.length === 0) io.write('The server and its schema can carry the store.\n')
    else for (const finding of findings) io.write(`${describe(finding)}\n`)
    return findings.some(({ level }) => level === 'problem') ? exitCodes.findings : exitCodes.done
  })
}

function describe({ level, finding, advice }: Finding): string {
  return `${level}: ${neutralize(asCommands(finding))}\n  ${neutralize(asCommands(advice))}`
}

/** Names the commands of functions that the messages of stores name for programs. */
export const asCommands = (text: string): string => text.replace(/\b(migrate|schema)\(\)/g, '`retryproof $1`')

/** The exit code of an error that a command throws. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE', 'IDEMPOTENCY_STORE_CLOSED'))
    return exitCodes.unavailable
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED')) return exitCodes.findings
  if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_OPTION', 'IDEMPOTENCY_INVALID_CALL')) return exitCodes.usage
  return isIdempotencyError(error) ? exitCodes.refused : exitCodes.failed
}
