/** The clients of a drill: each sends its key until it is answered, by whichever worker is free. */
import { hire, type Worker } from './crew.ts'
import { type Aim, planKills } from './kill-plan.ts'
import type { Job, Mode, Reply, Request } from './messages.ts'

/** The answers that the clients of a mode got, and the events on the way. */
export interface Told {
  /** By key; more than one where they were told differently. */
  readonly values: Map<string, Set<string>>
  /** Keys of which a client was told that nobody knows. */
  readonly unknown: Set<string>
  /** Workers that were killed in a call of this mode, as planned. */
  kills: number
  /** Calls that were under way in a worker when it was killed. */
  cut: number
  /** Effects that the downstream refused, since they were made already. */
  refused: number
}

export interface Load {
  readonly job: Job
  readonly modes: readonly Mode[]
  /** For each mode. */
  readonly keys: readonly string[]
  /** The number of clients that send each key. */
  readonly clients: number
  /** For each mode; no more than there are keys. */
  readonly kills: number
  readonly workers: number
  /** The number of calls that a worker makes at once. */
  readonly atOnce: number
}

/** Keys of different modes are different keys. */
export const keyOf = (mode: Mode, name: string): string => `${mode}-${name}`

interface Delivery {
  readonly mode: Mode
  readonly key: string
  readonly notBefore: number
  /** The stage at which its worker is killed; it is sent until that has happened. */
  readonly aim?: Aim | undefined
}

interface Target extends Request {
  readonly aim: Aim
  readonly timer: NodeJS.Timeout | undefined
}

/**
 * Every other kill strikes right after an effect, the others at any moment of a call, or before the answer to it. The other
 * clients of that key come when it has struck, so that none of them has the call answered without it.
 */
export async function runClients({
  job,
  modes,
  keys,
  clients,
  kills,
  workers,
  atOnce,
}: Load): Promise<Map<Mode, Told>> {
  const told = new Map(modes.map((mode) => [mode, nothingYet()]))
  const toldOf = (mode: Mode) => told.get(mode) ?? nothingYet()
  const plans = new Map(modes.map((mode, at) => [mode, planKills(kills, keys.length, at / modes.length)]))
  const waiting: Delivery[] = keys.flatMap((name, index) =>
    modes.flatMap((mode) => {
      const aim = plans.get(mode)?.get(index)
      return times(aim ? 1 : clients, { mode, key: keyOf(mode, name), notBefore: 0, aim })
    }),
  )
  /** No worker has two, so that nothing else kills it before its time. */
  const targets = new Map<Worker, Target>()
  let left = keys.length * modes.length * clients
  let lastId = 0
  let finish = () => {}
  let fail: (error: Error) => void = () => {}
  const over = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const crew = await hire(job, workers, {
    replied,
    died,
    broke: (code) => fail(new Error(`A worker ended by itself (${code}).`)),
  })
  const handing = setInterval(hand, 4)
  try {
    await over
    return told
  } finally {
    clearInterval(handing)
    await crew.dismiss()
  }

  function hand(): void {
    for (const worker of crew.workers) {
      while (worker.calls.size < atOnce) {
        const now = performance.now()
        const index = waiting.findIndex(({ notBefore, aim }) => notBefore <= now && !(aim && targets.has(worker)))
        const [delivery] = index < 0 ? [] : waiting.splice(index, 1)
        if (!delivery) break
        give(worker, delivery)
      }
    }
  }

  function give(worker: Worker, { mode, key, aim }: Delivery): void {
    const isAnyMoment = aim === 'any moment'
    // at the latest before its answer, so that it is always a call that is killed
    const request: Request = { id: ++lastId, mode, key, linger: isAnyMoment ? 'before the answer' : aim }
    worker.send(request)
    const timer = isAnyMoment ? setTimeout(strike, Math.random() * 15, worker) : undefined
    if (aim) targets.set(worker, { ...request, aim, timer })
  }

  function strike(worker: Worker): void {
    const target = leaveAlone(worker)
    if (!target) return
    worker.kill()
    const { mode, key } = target
    toldOf(mode).kills++
    waiting.push(...times(clients - 1, { mode, key, notBefore: 0 }))
  }

  function leaveAlone(worker: Worker): Target | undefined {
    const target = targets.get(worker)
    targets.delete(worker)
    clearTimeout(target?.timer)
    return target
  }

  function replied(worker: Worker, { mode, key }: Request, reply: Exclude<Reply, { kind: 'ready' }>): void {
    const counts = toldOf(mode)
    const target = targets.get(worker)
    const aim = target?.id === reply.id ? target.aim : undefined
    switch (reply.kind) {
      case 'problem':
        fail(new Error(reply.message))
        return
      case 'lingers':
        strike(worker)
        return
      case 'refused':
        counts.refused++
        return
      case 'again':
        if (aim) leaveAlone(worker)
        waiting.push({ mode, key, notBefore: performance.now() + 10 + Math.random() * 40, aim })
        return
      case 'unknown':
        counts.unknown.add(key)
        break
      case 'answer':
        counts.values.set(key, (counts.values.get(key) ?? new Set()).add(reply.value))
    }
    if (aim) fail(new Error(`${key} was to be killed ${aim}, and came to its end: ${JSON.stringify(reply)}`))
    if (--left === 0) finish()
  }

  function died(worker: Worker): void {
    for (const { mode, key } of worker.calls.values()) {
      toldOf(mode).cut++
      waiting.push({ mode, key, notBefore: 0 })
    }
  }
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

const nothingYet = (): Told => ({ values: new Map(), unknown: new Set(), kills: 0, cut: 0, refused: 0 })
