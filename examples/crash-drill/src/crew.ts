/** Workers: processes with one in reserve, so that whoever is killed is soon replaced. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { bundled } from './bundle.ts'
import type { Job, Reply, Request } from './messages.ts'

export interface Worker {
  /** What it was given and has not answered. */
  readonly calls: ReadonlyMap<number, Request>
  send(request: Request): void
  /** SIGKILL: nothing of the process runs any more. */
  kill(): void
}

export interface Crew {
  /** Those that are up. */
  readonly workers: ReadonlySet<Worker>
  /** Kills them all, and waits until they are gone. */
  dismiss(): Promise<void>
}

export interface CrewEvents {
  replied(worker: Worker, request: Request, reply: Exclude<Reply, { kind: 'ready' }>): void
  /** It is gone, and with it what it was doing. */
  died(worker: Worker): void
  /** It ended, and nobody had killed it. */
  broke(code: number | null): void
}

export async function hire(job: Job, size: number, events: CrewEvents): Promise<Crew> {
  const file = await bundled('worker')
  const workers = new Set<Worker>()
  const reserve: Worker[] = []
  const processes = new Set<ChildProcess>()
  let dismissed = false
  const killAll = () => {
    for (const child of processes) child.kill('SIGKILL')
  }
  process.on('exit', killAll)

  function start(): void {
    const calls = new Map<number, Request>()
    const child = fork(file, { execArgv: [], env: { ...process.env, JOB: JSON.stringify(job) } })
    processes.add(child)
    const worker: Worker = {
      calls,
      send(request) {
        calls.set(request.id, request)
        // whether it arrives is told by its answer, or by the end of the process
        child.send(request, () => {})
      },
      kill: () => void child.kill('SIGKILL'),
    }
    child.on('message', (reply: Reply) => {
      if (dismissed) return
      if (reply.kind === 'ready') {
        join(worker)
        return
      }
      const request = calls.get(reply.id)
      if (reply.kind !== 'effect') calls.delete(reply.id)
      if (request) events.replied(worker, request, reply)
    })
    child.on('exit', (code, signal) => {
      processes.delete(child)
      if (dismissed) return
      if (signal !== 'SIGKILL') events.broke(code)
      workers.delete(worker)
      const next = reserve.shift()
      if (next) join(next)
      start()
      events.died(worker)
    })
  }

  function join(worker: Worker): void {
    if (workers.size < size) workers.add(worker)
    else reserve.push(worker)
  }

  for (let i = 0; i <= size; i++) start()
  return {
    workers,
    async dismiss() {
      dismissed = true
      process.off('exit', killAll)
      const gone = [...processes].map((child) => once(child, 'exit'))
      killAll()
      await Promise.all(gone)
    },
  }
}
