/** Processes of the demo: each child listens on a free port and tells its parent which. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Child {
  readonly url: string
  /** SIGKILL: no handler of the process runs, as in a crash. */
  kill(): Promise<void>
  onMessage(listener: (message: string) => void): void
}

/** Starts one of the demo's files as a process, and waits until it listens. */
export async function start(file: string, env: Record<string, string>): Promise<Child> {
  const child = fork(new URL(file, import.meta.url), { env: { ...process.env, ...env } })
  const kill = async () => {
    process.off('exit', killNow)
    await end(child)
  }
  const killNow = () => child.kill('SIGKILL')
  process.on('exit', killNow)
  const [port] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => stopped(file))])
  return {
    url: `http://127.0.0.1:${port}`,
    kill,
    onMessage: (listener) => child.on('message', (message) => listener(String(message))),
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

/** Tells the parent process on which port a server listens. */
export function announce(server: Server): void {
  tellParent((server.address() as AddressInfo).port)
}

export function tellParent(message: string | number): void {
  process.send?.(message)
}

/** A variable of the environment that must be there. */
export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set.`)
  return value
}
