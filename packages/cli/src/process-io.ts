/** The surroundings that a process gives the command. */
import confirm from '@inquirer/confirm'
import { exitCodes } from './exit-codes.ts'
import type { CliIo } from './io.ts'

type Host = Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd' | 'on' | 'exit'>

/** Returns the input and output of this process. */
export function processIo(host: Host = process): CliIo {
  const { stdin, stdout, stderr, env } = host
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    host.on(signal, () => {
      // a server that does not answer may keep a command from its orderly end
      if (interrupted.signal.aborted) host.exit(exitCodes.interrupted)
      interrupted.abort()
    })
  }
  // the reader of a pipe may leave first
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => host.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    write: (text) => stdout.write(text),
    writeError: (text) => stderr.write(text),
    isTerminal: stdout.isTTY === true && env.TERM !== 'dumb',
    canAsk: stdin.isTTY === true && stderr.isTTY === true,
    columns: stdout.columns ?? 80,
    env,
    cwd: host.cwd(),
    now: () => Date.now(),
    confirm: (message) =>
      confirm({ message, default: false }, { input: stdin, output: stderr, signal: interrupted.signal }).catch(() => {
        // a terminal hands Ctrl-C to the question, and not as a signal
        interrupted.abort()
        return false
      }),
    interrupted: interrupted.signal,
  }
}
