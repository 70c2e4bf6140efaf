/** The surroundings that a process gives the command. */
import confirm from '@inquirer/confirm'
import type { CliIo } from './io.ts'

/** Returns the input and output of this process. */
export function processIo(): CliIo {
  const { stdin, stdout, stderr, env } = process
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  // the reader of a pipe may leave first
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    write: (text) => stdout.write(text),
    writeError: (text) => stderr.write(text),
    isTerminal: stdout.isTTY === true && env.TERM !== 'dumb',
    canAsk: stdin.isTTY === true && stderr.isTTY === true,
    columns: stdout.columns ?? 80,
    env,
    cwd: process.cwd(),
    now: () => Date.now(),
    confirm: (message) =>
      confirm({ message, default: false }, { output: stderr, signal: interrupted.signal }).catch(() => false),
    interrupted: interrupted.signal,
  }
}
