/**
 * Payments sent many times at once, in both modes, of which every third rolls back, and then over connections that are
 * cut at COMMIT: each key has one payment, and it is the one that everybody was told of.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, type IdempotencyError, unscoped } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { type Backend, targets } from './backends.ts'
import { cutters, type Fate } from './cut-commits.ts'

const KEYS = 20
const DUPLICATES = 4
/** Each with at most four connections. */
const PROCESSES = 4
const CALLERS_PER_PROCESS = 4
const ROLLBACKS = 0.3
const CUTS = 0.2
const PATIENCE_MS = 60_000

/** The choices of a run, which its seed repeats; in which order the server sees the calls, nobody can repeat. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

class DeclinedError extends Error {}

async function storm<Tx>(backend: Backend<Tx>, random: () => number, url?: string) {
  const answers = new Map<string, Set<string>>()
  const counts = { runs: 0, rollbacks: 0, failures: 0 }
  /** What the client's own statements threw: the driver's errors, as they are. */
  const thrown = new WeakSet<object>()
  const referenceOf = (key: string) => ({ operation: 'pay', scope: unscoped, key }) as const
  const keys = Array.from({ length: KEYS }, (_, i) => `payment ${i}`)
  // duplicates stand side by side, so that they are sent at once
  const queue = keys.flatMap((key) => Array.from({ length: DUPLICATES }, () => key))

  function openProcess() {
    const { store, insert } = backend.open(url === undefined ? {} : { url })
    const idempotency = createIdempotency({ store, namespace: 'storm', lease: '2s', retention: '1h' })

    async function pay(key: string): Promise<void> {
      const until = performance.now() + PATIENCE_MS
      for (;;) {
        const mode = random() < 0.5 ? 'fenced' : 'single'
        try {
          const work = (tx: Tx): string | Promise<string> => {
            const id = `${key} run ${++counts.runs}`
            const end = (): string => {
              if (counts.rollbacks > 0 && random() >= ROLLBACKS) return id
              counts.rollbacks++
              throw new DeclinedError()
            }
            const refuse = (error: object): never => {
              thrown.add(error)
              throw error
            }
            return insert(tx, key, id)?.then(end, refuse) ?? end()
          }
          const { value, recorded } = await idempotency.transaction({ ...referenceOf(key), payload: key }, work, {
            mode,
          })
          expect(recorded).toBe(true)
          answers.set(key, (answers.get(key) ?? new Set()).add(value))
          return
        } catch (error) {
          const isExpected = isAnswer(error) || thrown.has(Object(error))
          if (!isExpected || performance.now() > until) throw error
          counts.failures++
          await sleep(random() * 50)
        }
      }
    }

    return {
      idempotency,
      async call(): Promise<void> {
        for (let key = queue.shift(); key !== undefined; key = queue.shift()) await pay(key)
      },
    }
  }

  const processes = Array.from({ length: PROCESSES }, openProcess)
  await Promise.all(processes.flatMap(({ call }) => Array.from({ length: CALLERS_PER_PROCESS }, call)))

  const { store } = backend.open()
  const { inspect } = createIdempotency({ store, namespace: 'storm' })
  for (const key of keys) {
    const paid = await backend.values(key)
    expect(paid, `payments of ${key}`).toHaveLength(1)
    expect([...(answers.get(key) ?? [])], `answers about ${key}`).toEqual(paid)
    expect(await inspect(referenceOf(key))).toMatchObject({ state: 'completed', value: paid[0] })
  }
  return counts
}

/** An answer on which a client sends its request again. */
function isAnswer(error: unknown): boolean {
  const codes = ['IN_PROGRESS', 'STORE_UNAVAILABLE', 'TRANSACTION_CONFLICT', 'LEASE_LOST']
  return error instanceof DeclinedError || codes.includes((error as IdempotencyError).code)
}

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

for (const { name, title, missing, url, use } of targets) {
  describe.skipIf(missing)(`exactly one payment for each key on ${title}, SEED=${seed}`, { timeout: 90_000 }, () => {
    test('duplicates at once, and work that throws', () =>
      use(async (backend) => {
        console.log(title, await storm(backend, randomOf(seed)))
      }))

    const cut = cutters[name]
    if (!cut) return
    test('and connections that are cut at COMMIT', () =>
      use(async (backend) => {
        const random = randomOf(seed)
        const cuts = { 'lose request': 0, 'lose reply': 0 }
        const next = (): Fate => {
          const hasBoth = cuts['lose reply'] > 0
          if (hasBoth && random() >= CUTS) return 'pass'
          const fate = cuts['lose request'] > cuts['lose reply'] ? 'lose reply' : 'lose request'
          cuts[fate]++
          return fate
        }
        const proxy = await cut(url, next)
        const counts = await storm(backend, random, proxy.url)
        expect(cuts['lose reply']).toBeGreaterThan(0)
        await proxy.close()
        console.log(title, counts, cuts)
      }))
  })
}
