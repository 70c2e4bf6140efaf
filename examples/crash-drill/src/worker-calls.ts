/** A worker that is asked one thing after the other, by promises. */
import { once } from 'node:events'
import type { Answer, Job, Mode, Request, Stage } from './messages.ts'
import { onReply, send, startWorker } from './worker-process.ts'

export interface OwnWorker {
  call(mode: Mode, key: string, linger?: Stage): OwnCall
  signal(signal: NodeJS.Signals): void
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

export interface OwnCall {
  /** Resolves when it stands still where it was to. */
  readonly lingers: Promise<void>
  readonly answer: Promise<Answer>
  /** Lets it go on. */
  resume(): void
}

/** @param args what Node is started with, besides the worker */
export async function ownWorker(job: Job, args: readonly string[] = []): Promise<OwnWorker> {
  const child = await startWorker(job, args)
  const lingering = new Map<number, () => void>()
  const answers = new Map<number, (answer: Answer) => void>()
  let lastId = 0
  const gone = once(child, 'exit')
  const ready = new Promise<void>((resolve) => {
    onReply(child, (reply) => {
      if (reply.kind === 'ready') resolve()
      else if (reply.kind === 'lingers') lingering.get(reply.id)?.()
      else if (reply.kind !== 'refused') answers.get(reply.id)?.(reply)
    })
  })
  const died = gone.then(() => Promise.reject(new Error('A worker ended before it was ready.')))
  await Promise.race([ready, died])
  return {
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
    call(mode, key, linger) {
      const request: Request = { id: ++lastId, mode, key, linger }
      const lingers = new Promise<void>((resolve) => lingering.set(request.id, resolve))
      const answer = new Promise<Answer>((resolve) => answers.set(request.id, resolve))
      send(child, request)
      return { lingers, answer, resume: () => send(child, { resume: request.id }) }
    },
  }
}

/** As a client that sends its key again, until the call stands still: a slow machine can lose a lease on the way. */
export async function standStill(worker: OwnWorker, mode: Mode, key: string, stage: Stage): Promise<OwnCall> {
  for (;;) {
    const call = worker.call(mode, key, stage)
    const answer = await Promise.race([call.lingers, call.answer])
    if (!answer) return call
    if (answer.kind !== 'again') throw new Error(`${key} should stand still ${stage}: ${JSON.stringify(answer)}`)
  }
}
