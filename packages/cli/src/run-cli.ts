/** The command line: its commands, their options, and what happens when one fails. */
import { createRequire } from 'node:module'
import { neutralizeLines, STATES, withoutAddress } from '@retryproof/http/internal'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { erase, forget, resolve } from './commands/change.ts'
import { completion, SHELLS } from './commands/completion.ts'
import { inspect } from './commands/inspect.ts'
import { list } from './commands/list.ts'
import { purge } from './commands/purge.ts'
import { asCommands, check, exitCodeOf, migrate, schema } from './commands/server.ts'
import { stats, watch } from './commands/stats.ts'
import { exitCodes } from './exit-codes.ts'
import type { CliIo } from './io.ts'

type Run = (...given: never[]) => Promise<number>

/** Runs the command line and returns its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = exitCodes.done
  let address = io.env.RETRYPROOF_STORE
  const program = createProgram(io, (run) => async (...given: unknown[]) => {
    // commander gives the arguments, then the options, then the command
    const command = given.at(-1) as Command
    const options = command.optsWithGlobals<{ store?: string }>()
    address = options.store ?? address
    exitCode = await run(...([io, ...given.slice(0, -2), options] as never[]))
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    const message = error instanceof Error ? error.message : String(error)
    io.writeError(`retryproof: ${neutralizeLines(asCommands(withoutAddress(message, address)))}\n`)
    return exitCodeOf(error)
  }
}

function createProgram(io: CliIo, action: (run: Run) => (...given: unknown[]) => Promise<void>): Command {
  const program = new Command('retryproof')
    .description('Finds, explains and repairs the records of a Retryproof store.')
    .version(createRequire(import.meta.url)('../package.json').version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.write(text),
      writeErr: (text) => io.writeError(neutralizeLines(text)),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    })
    .option('--store <address>', 'address of the store; RETRYPROOF_STORE keeps it out of the list of processes')
    .option('--config <file>', 'configuration of the project (retryproof.config.ts, .js, .mjs or .json)')
    .option('--namespace <name>', 'the namespace; without it, all')
    .option('--table <name>', 'table or collection, or prefix of the keys of Redis')

  const command = (name: string, description: string, run: Run) =>
    program.command(name).description(description).action(action(run)).exitOverride()
  const json = new Option('--json', 'print JSON')
  const csv = new Option('--csv', 'print CSV').conflicts('json')
  const yes = new Option('--yes', 'do not ask')

  command('schema', 'prints the statements that create the schema', schema).addOption(json)
  command('migrate', 'creates the schema where it is missing, and checks it', migrate)
    .option('--dry-run', 'print the statements, and run nothing')
    .addOption(json)
  command('check', 'tells whether this server can carry the store, and what to do about it', check).addOption(json)
  command('list', 'lists records in the order of their keys', list)
    .option('--operation <name>', 'only of this operation')
    .addOption(new Option('--state <state>', 'only in this state').choices(Object.keys(STATES)))
    .option('--scope <part>', 'only of this scope; give it once for each part', collect)
    .option('--stuck <duration>', 'only where lease or delay has been over for so long, as in 10m')
    .option('--expired', 'also what has expired and was not purged')
    .option('--after <key>', 'go on after this key')
    .option('--limit <number>', 'the most records', wholeNumber, 50)
    .addOption(json)
    .addOption(csv)
  command('inspect', 'shows one record', inspect)
    .argument('<key>', 'a key as `list` shows it')
    .option('--no-redact', 'show also what looks like a credential')
    .addOption(json)
  command('resolve', 'settles a parked record, or lets the next call run', resolve)
    .argument('<key>', 'a key as `list` shows it')
    .option('--completed <file>', 'it happened: every retry gets the JSON value in this file')
    .option(
      '--response <file>',
      'it happened, in a guarded route: every retry gets { status, headers, body } in this file',
    )
    .option('--failed <message>', 'it failed: every retry gets an error with this message')
    .option('--rerun', 'it did not happen: the next call runs the handler')
    .addOption(yes)
    .addOption(json)
  command('forget', 'deletes a record: the next request with its key runs again', forget)
    .argument('<key>', 'a key as `list` shows it')
    .addOption(yes)
    .addOption(json)
  command('erase', 'deletes every record of a scope in a namespace', erase)
    .requiredOption('--scope <part>', 'the whole scope; give it once for each part', collect)
    .addOption(yes)
    .addOption(json)
  command('purge', 'removes expired records', purge)
    .option('--batch <number>', 'the most records that one statement removes', wholeNumber, 1000)
    .addOption(json)
  command('stats', 'counts records by operation and state', stats)
    .option('--size', 'the bytes of the table with its indexes, too')
    .addOption(json)
    .addOption(csv)
  command('watch', 'counts again and again', watch)
    .option('--every <seconds>', 'seconds between two readings', wholeNumber, 2)
    .option('--times <number>', 'end after so many readings', wholeNumber)
    .addOption(json)
  command('completion', 'prints a script of completions for bash, zsh or fish', async (...given: never[]) => {
    const [, shell] = given as unknown as [CliIo, string]
    io.write(completion(program, shell))
    return exitCodes.done
  }).addArgument(new Argument('<shell>').choices(SHELLS))
  return program
}

const collect = (part: string, before: readonly string[] = []): readonly string[] => [...before, part]

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It must be a whole number from 1.')
}
