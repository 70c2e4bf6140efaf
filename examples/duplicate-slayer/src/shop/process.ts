/** Processes of the demo: each child listens on a free port and tells its parent what happens in it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Figures } from '../board/figures.ts'
import type { DeathPoint } from '../naming.ts'

/** The messages of a child. */
export type Message =
  | { readonly listening: number }
  /** A worker stands at the place where it was told to die, and waits. */
  | { readonly reached: DeathPoint }
  /** The provider charged for this order. */
  | { readonly charged: string }
  /** The counts of OpenTelemetry since the last message. */
  | { readonly figures: Figures }

export interface Child {
  readonly url: string
  readonly pid: number
  /** SIGKILL: no handler of the process runs, as in a crash. */
  kill(): Promise<void>
}

/** Starts one of the demo's files as a process, and waits until it listens. */
export async function start(
  file: string,
  env: Record<string, string>,
  onMessage: (message: Message) => void = () => {},
): Promise<Child> {
  const child = fork(new URL(file, import.meta.url), { env: { ...process.env, ...env } })
  const killNow = () => child.kill('SIGKILL')
  process.on('exit', killNow)
  child.on('message', (message) => onMessage(message as Message))
  const [first] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => stopped(file))])
  return {
    url: `http://127.0.0.1:${first.listening}`,
    pid: child.pid ?? 0,
    async kill() {
      process.off('exit', killNow)
      await end(child)
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

function stopped(file: string): never {
  throw new Error(`${file} ended before it listened.`)
}

/** Tells the parent process on which port a server listens, and ends with it. */
export function announce(server: Server): void {
  process.on('disconnect', () => process.exit())
  tellParent({ listening: (server.address() as AddressInfo).port })
}

export function tellParent(message: Message): void {
  process.send?.(message)
}

/** A variable of the environment that must be there. */
export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set.`)
  return value
}
