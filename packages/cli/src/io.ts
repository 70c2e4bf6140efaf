/** The surroundings of the command: a process has them, and a test gives its own. */

export interface CliIo {
  write(text: string): void
  writeError(text: string): void
  /** A person sees the output, and a live display may be drawn over itself. */
  readonly isTerminal: boolean
  /** A person can be asked. */
  readonly canAsk: boolean
  readonly columns: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The clock of this machine, in milliseconds. */
  now(): number
  confirm(question: string): Promise<boolean>
  /** Aborts at the first Ctrl-C. */
  readonly interrupted: AbortSignal
}
