/** A worker, as its parent sees it. */
import { type ChildProcess, fork } from 'node:child_process'
import { bundled } from './bundle.ts'
import type { Job, Reply, Request, Resumption } from './messages.ts'

/** @param args what Node is started with, besides the worker */
export async function startWorker(job: Job, args: readonly string[] = []): Promise<ChildProcess> {
  const file = await bundled('worker')
  const child = fork(file, { execArgv: [...args], env: { ...process.env, JOB: JSON.stringify(job) } })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  child.on('exit', () => process.off('exit', kill))
  return child
}

/** Its answer, or the end of the process, tells whether it arrived. */
export function send(child: ChildProcess, message: Request | Resumption): void {
  child.send(message, () => {})
}

export function onReply(child: ChildProcess, listener: (reply: Reply) => void): void {
  child.on('message', listener)
}
