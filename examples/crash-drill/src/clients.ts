/** The clients of a drill: each sends its key until it is answered, by whichever worker is free. */
import { hire, type Worker } from './crew.ts'
import type { Job, Mode, Reply, Request, Stage } from './messages.ts'

/** What the clients of a mode were told, and what happened on the way. */
export interface Told {
  /** By key; more than one where they were told differently. */
  readonly values: Map<string, Set<string>>
  /** Keys of which a client was told that nobody knows. */
  readonly unknown: Set<string>
  /** Workers that were killed in a call of this mode, or right after it. */
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
  /** How many clients send each key. */
  readonly clients: number
  /** For each mode. */
  readonly kills: number
  readonly workers: number
  /** What a worker does at once. */
  readonly atOnce: number
}

/** Keys of different modes are different keys. */
export const keyOf = (mode: Mode, name: string): string => `${mode}-${name}`

interface Delivery {
  readonly mode: Mode
  readonly key: string
  readonly notBefore: number
}

/** Every other kill strikes right after an effect, the others at any moment of a call, or before the answer to it. */
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
  const plan = createKillPlan(kills, keys.length * clients)
  const waiting: Delivery[] = keys.flatMap((key) =>
    modes.flatMap((mode) => Array.from({ length: clients }, () => ({ mode, key: keyOf(mode, key), notBefore: 0 }))),
  )
  let left = waiting.length
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
        const index = waiting.findIndex(({ notBefore }) => notBefore <= now)
        const [delivery] = index < 0 ? [] : waiting.splice(index, 1)
        if (!delivery) return
        const { mode, key } = delivery
        const id = ++lastId
        const aim = plan.aimAt(worker, mode, id)
        worker.send({ id, mode, key, linger: aim === 'any moment' ? undefined : aim })
        if (aim === 'any moment') setTimeout(worker.kill, Math.random() * 15)
      }
    }
  }

  function replied(worker: Worker, { mode, key }: Request, reply: Exclude<Reply, { kind: 'ready' }>): void {
    const counts = toldOf(mode)
    switch (reply.kind) {
      case 'problem':
        fail(new Error(reply.message))
        return
      case 'lingers':
        worker.kill()
        return
      case 'refused':
        counts.refused++
        return
      case 'again':
        waiting.push({ mode, key, notBefore: performance.now() + 10 + Math.random() * 40 })
        break
      case 'unknown':
        counts.unknown.add(key)
        left--
        break
      case 'answer':
        counts.values.set(key, (counts.values.get(key) ?? new Set()).add(reply.value))
        left--
    }
    // it came to its end without the stage at which it was to be killed
    if (plan.isTarget(worker, reply.id)) plan.aimAgain(worker, mode)
    if (left === 0) finish()
  }

  function died(worker: Worker): void {
    const mode = plan.killed(worker)
    if (mode) toldOf(mode).kills++
    for (const { mode, key } of worker.calls.values()) {
      toldOf(mode).cut++
      waiting.push({ mode, key, notBefore: 0 })
    }
  }
}

const nothingYet = (): Told => ({ values: new Map(), unknown: new Set(), kills: 0, cut: 0, refused: 0 })

type Aim = Stage | 'any moment'

const aimsInTurn: readonly Aim[] = ['after the effect', 'any moment', 'after the effect', 'before the answer']

/** Spreads the kills over the calls of each mode, and a few more, since the last ones may come too late. */
function createKillPlan(kills: number, calls: number) {
  const interval = Math.max(1, Math.floor(calls / (kills * 1.3)))
  const handed = new Map<Mode, number>()
  const aims = new Map<Mode, number>()
  const targets = new Map<Worker, { readonly mode: Mode; readonly id: number; readonly aim: Aim | undefined }>()
  const add = (counts: Map<Mode, number>, mode: Mode, by: number) => {
    const count = (counts.get(mode) ?? 0) + by
    counts.set(mode, count)
    return count
  }
  return {
    aimAt(worker: Worker, mode: Mode, id: number): Aim | undefined {
      const before = aims.get(mode) ?? 0
      if (before * interval >= add(handed, mode, 1) || before >= kills * 1.1 || targets.has(worker)) return undefined
      add(aims, mode, 1)
      const aim = aimsInTurn[before % aimsInTurn.length]
      targets.set(worker, { mode, id, aim })
      return aim
    },
    isTarget(worker: Worker, id: number): boolean {
      const target = targets.get(worker)
      return target?.id === id && target.aim !== 'any moment'
    },
    aimAgain(worker: Worker, mode: Mode): void {
      targets.delete(worker)
      add(aims, mode, -1)
    },
    /** The mode that it was for. */
    killed(worker: Worker): Mode | undefined {
      return targets.get(worker)?.mode
    },
  }
}
