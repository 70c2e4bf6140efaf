/** A terminal that keeps what is written to it. */
import type { CliIo } from '../src/io.ts'
import { runCli } from '../src/run-cli.ts'

export interface Ran {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  readonly questions: readonly string[]
}

/** Runs the command line as a pipe has it. `answer` makes it a terminal in which a person answers so. */
export async function run(args: readonly string[], given: Partial<CliIo> & { answer?: boolean } = {}): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const questions: string[] = []
  const { answer, ...more } = given
  const io: CliIo = {
    write: (text) => out.push(text),
    writeError: (text) => err.push(text),
    isTerminal: false,
    canAsk: answer !== undefined,
    columns: 80,
    env: {},
    cwd: import.meta.dirname,
    now: () => Date.now(),
    interrupted: new AbortController().signal,
    async confirm(question) {
      questions.push(question)
      return answer ?? false
    },
    ...more,
  }
  const exitCode = await runCli(args, io)
  return { exitCode, out: out.join(''), err: err.join(''), questions }
}

/** Runs a command that must end well. */
export async function done(args: readonly string[], given?: Parameters<typeof run>[1]): Promise<Ran> {
  const ran = await run(args, given)
  if (ran.exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${ran.exitCode}: ${ran.err}${ran.out}`)
  return ran
}
