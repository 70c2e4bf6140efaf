/** Exit codes of the command, as docs/cli.md lists them. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  findings: 4,
  unavailable: 5,
  refused: 6,
  interrupted: 130,
} as const

/** An end of the command with a message for the person in front of it. */
export class CliError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = exitCodes.usage) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}
