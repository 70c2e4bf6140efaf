/** Workers: processes with one in reserve, so that whoever is killed is soon replaced. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Job, Reply, Request } from './messages.ts'
import { onReply, send, startWorker } from './worker-process.ts'

export interface Worker {
  /** The calls that it was given and has not answered. */
  readonly calls: ReadonlyMap<number, Request>
  send(request: Request): void
  /** SIGKILL: nothing of the process runs any more, and it is given nothing. */
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
  const workers = new Set<Worker>()
  const reserve: Worker[] = []
  const processes = new Set<ChildProcess>()
  let dismissed = false

  async function start(): Promise<void> {
    const calls = new Map<number, Request>()
    const child = await startWorker(job)
    processes.add(child)
    const worker: Worker = {
      calls,
      send(request) {
        calls.set(request.id, request)
        send(child, request)
      },
      kill() {
        workers.delete(worker)
        child.kill('SIGKILL')
      },
    }
    onReply(child, (reply) => {
      if (dismissed) return
      if (reply.kind === 'ready') {
        join(worker)
        return
      }
      const request = calls.get(reply.id)
      if (reply.kind !== 'lingers' && reply.kind !== 'refused') calls.delete(reply.id)
      if (request) events.replied(worker, request, reply)
    })
    // unlike `exit`, after the last that it said: a call that it answered is not sent again
    child.on('close', (code, signal) => {
      processes.delete(child)
      if (dismissed) return
      if (signal !== 'SIGKILL') events.broke(code)
      workers.delete(worker)
      const next = reserve.shift()
      if (next) join(next)
      void start()
      events.died(worker)
    })
  }

  function join(worker: Worker): void {
    if (workers.size < size) workers.add(worker)
    else reserve.push(worker)
  }

  await Promise.all(Array.from({ length: size + 1 }, start))
  return {
    workers,
    async dismiss() {
      dismissed = true
      const gone = [...processes].map((child) => once(child, 'close'))
      for (const child of processes) child.kill('SIGKILL')
      await Promise.all(gone)
    },
  }
}
