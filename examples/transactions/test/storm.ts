/**
 * Payments sent many times at once, in both modes, of which every third rolls back, over connections that may be cut:
 * how many keys have another number of effects than one, or a record or an answer that does not agree with it?
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, type IdempotencyError, unscoped } from '@retryproof/core'
import type { Backend } from './backends.ts'
import type { Fate, Next, Way } from './cut-commits.ts'

export const KEYS = 40
const DUPLICATES = 4
/** As far as the database can tell; each with at most four connections. */
const PROCESSES = 8
const CALLERS_PER_PROCESS = 4
const ROLLBACKS = 0.3
const CUT_COMMITS = 0.2
const CUT_STATEMENTS = 0.005
const PATIENCE_MS = 120_000

export interface Report {
  /** The number of runs of the work, of rollbacks by an error of its own, and of calls that had to be sent again. */
  readonly runs: number
  readonly rollbacks: number
  readonly failures: number
  readonly keys: number
  /** Keys with two effects or more, and with none. */
  readonly duplicates: number
  readonly missing: number
  /** Keys whose record, or one of whose answers, is not that of the effect. */
  readonly disagreeing: number
}

/** The choices of a run, which its seed repeats; in which order the server sees the calls, nobody can repeat. */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Cuts every fifth COMMIT, and now and then another statement; counts what it did. */
export function randomCuts(random: () => number): { readonly next: Next; readonly cuts: Record<string, number> } {
  const cuts: Record<string, number> = { 'COMMIT lost': 0, 'COMMIT unanswered': 0, 'COMMIT late': 0, elsewhere: 0 }
  const names: Record<Exclude<Fate, 'pass'>, string> = {
    'lose request': 'COMMIT lost',
    'lose reply': 'COMMIT unanswered',
    hold: 'COMMIT late',
  }
  const fates = Object.keys(names) as (keyof typeof names)[]
  let made = 0
  return {
    cuts,
    next(isCommit) {
      if (random() >= (isCommit ? CUT_COMMITS : CUT_STATEMENTS)) return 'pass'
      // in turn, so that no run leaves one out by chance
      const fate = fates[made++ % fates.length] ?? 'hold'
      const name = isCommit ? names[fate] : 'elsewhere'
      cuts[name] = (cuts[name] ?? 0) + 1
      return fate
    },
  }
}

class DeclinedError extends Error {}

/** An answer on which a client sends its request again. */
function isAnswer(error: unknown): boolean {
  const codes = [
    'IDEMPOTENCY_IN_PROGRESS',
    'IDEMPOTENCY_STORE_UNAVAILABLE',
    'IDEMPOTENCY_TRANSACTION_CONFLICT',
    'IDEMPOTENCY_LEASE_LOST',
  ]
  return error instanceof DeclinedError || codes.includes((error as IdempotencyError).code)
}

/** `rounds` of 40 keys, from 32 callers on 32 connections; every caller sends until it is answered. */
export async function storm<Tx>(
  backend: Backend<Tx>,
  random: () => number,
  { rounds = 1, way = {} }: { readonly rounds?: number; readonly way?: Omit<Way, 'close'> } = {},
): Promise<Report> {
  const answers = new Map<string, Set<unknown>>()
  const counts = { runs: 0, rollbacks: 0, failures: 0 }
  /** The errors of the client's own statements: the driver's errors, as they are. */
  const thrown = new WeakSet<object>()
  const referenceOf = (key: string) => ({ operation: 'pay', scope: unscoped, key }) as const
  const keys = Array.from({ length: rounds * KEYS }, (_, i) => `payment ${i}`)
  // duplicates stand side by side, so that they are sent at once
  const queue = keys.flatMap((key) => Array.from({ length: DUPLICATES }, () => key))

  function openProcess() {
    const { url, next } = way
    const { store, insert } = backend.open({ ...(url !== undefined && { url }), ...(next && { next }) })
    const idempotency = createIdempotency({ store, namespace: 'storm', lease: '2s', retention: '1h' })

    function work(key: string, tx: Tx): string | Promise<string> {
      const id = `${key} run ${++counts.runs}`
      const end = (): string => {
        if (random() >= ROLLBACKS) return id
        counts.rollbacks++
        throw new DeclinedError()
      }
      const refuse = (error: object): never => {
        thrown.add(error)
        throw error
      }
      let written: Promise<unknown> | undefined
      try {
        written = insert(tx, key, id)
      } catch (error) {
        return refuse(Object(error))
      }
      return written?.then(end, refuse) ?? end()
    }

    async function pay(key: string): Promise<void> {
      const until = performance.now() + PATIENCE_MS
      for (;;) {
        const mode = random() < 0.5 ? 'fenced' : 'single'
        try {
          const call = { ...referenceOf(key), payload: key }
          const { value, recorded } = await idempotency.transaction(call, (tx) => work(key, tx), { mode })
          answers.set(key, (answers.get(key) ?? new Set()).add(recorded ? value : 'an answer that is not recorded'))
          return
        } catch (error) {
          const isExpected = isAnswer(error) || thrown.has(Object(error))
          if (!isExpected || performance.now() > until) throw error
          counts.failures++
          await sleep(random() * 50)
        }
      }
    }

    return async (): Promise<void> => {
      for (let key = queue.shift(); key !== undefined; key = queue.shift()) await pay(key)
    }
  }

  const processes = Array.from({ length: PROCESSES }, openProcess)
  await Promise.all(processes.flatMap((call) => Array.from({ length: CALLERS_PER_PROCESS }, call)))

  const { inspect } = createIdempotency({ store: backend.open().store, namespace: 'storm' })
  const found = { duplicates: 0, missing: 0, disagreeing: 0 }
  for (const key of keys) {
    const paid = await backend.values(key)
    const record = await inspect(referenceOf(key))
    const told = [...(answers.get(key) ?? [])]
    if (paid.length > 1) found.duplicates++
    if (paid.length === 0) found.missing++
    const [effect] = paid
    const agrees = record?.state === 'completed' && record.value === effect && told.length === 1 && told[0] === effect
    if (!agrees) found.disagreeing++
  }
  return { ...counts, keys: keys.length, ...found }
}
