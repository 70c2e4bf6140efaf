import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { lruCache, type SettledCache, tieredStore } from '../src/index.ts'

const lies = ['stale', 'cut', 'changed', 'swapped', 'late', 'lost', 'throws', 'hangs', 'drops', 'parsed'] as const

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Lies in every third call: answers what it once knew, a part, a changed byte, another entry, late, not at all. */
function lying(cache: SettledCache, random: () => number): SettledCache {
  const everything: { readonly key: string; readonly value: Uint8Array }[] = []
  const mood = () => (random() < 1 / 3 ? lies[Math.floor(random() * lies.length)] : undefined)
  const any = () => everything[Math.floor(random() * everything.length)]?.value
  return {
    async get(key) {
      switch (mood()) {
        case 'stale':
          return everything.find((entry) => entry.key === key)?.value
        case 'swapped':
          return any()
        case 'cut': {
          const value = await cache.get(key)
          return value?.subarray(0, Math.floor(random() * value.length))
        }
        case 'changed': {
          const value = (await cache.get(key))?.slice()
          const at = Math.floor(random() * (value?.length ?? 0))
          value?.set([(value[at] ?? 0) ^ (1 + Math.floor(random() * 255))], at)
          return value
        }
        case 'late':
          await new Promise((resolve) => setTimeout(resolve, 3))
          return any()
        case 'throws':
          throw new Error('The cache is down.')
        case 'hangs':
          return new Promise(() => {})
        case 'lost':
          return null
        case 'parsed':
          return [...((await cache.get(key)) ?? [])] as unknown as Uint8Array
        default:
          return cache.get(key)
      }
    },
    async set(key, value, ttlMs) {
      everything.push({ key, value: value.slice() })
      if (everything.length > 1000) everything.splice(0, 500)
      const lie = mood()
      if (lie === 'throws') throw new Error('The cache is full.')
      if (lie === 'drops' || lie === 'lost') return
      if (lie === 'late') await new Promise((resolve) => setTimeout(resolve, 3))
      await cache.set(key, value, ttlMs)
    },
    async delete(key) {
      const lie = mood()
      if (lie === 'throws') throw new Error('The cache is down.')
      if (lie !== 'drops') await cache.delete(key)
    },
  }
}

/** Runs operations of two databases and two processes each over one lying cache. Counts wrong answers and misses. */
export async function runOverLyingCache(
  cache: SettledCache,
  { seed, operations }: { seed: number; operations: number },
) {
  const random = randomNumbers(seed)
  const shared = lying(cache, random)
  const databases = ['eu', 'us'].map((name) => {
    const durable = memoryStore()
    let asked = 0
    const counted = {
      ...durable,
      begin: (...call: Parameters<typeof durable.begin>) => {
        asked++
        return durable.begin(...call)
      },
    }
    const open = () =>
      createIdempotency({
        store: tieredStore({ cache: [lruCache(), shared], durable: counted, durableId: name, cacheTimeout: 2 }),
        namespace: 'payments',
      })
    return { name, processes: [open(), open()], expected: new Map<string, string>(), asked: () => asked }
  })
  let incarnations = 0
  const answers = { operations: 0, replays: 0, wrong: 0 }
  while (answers.operations < operations) {
    const keys = new Set(Array.from({ length: 20 }, () => Math.floor(random() * 200)))
    const turns = [...keys].map((number) => {
      // another process may replay what was forgotten until its entry ends: who forgets a key is the one who asks for it
      const isForgettable = number < 100
      const process = isForgettable ? number % 2 : Number(random() < 0.5)
      return { key: `k${number}`, database: Number(random() < 0.5), process, forgets: isForgettable && random() < 0.1 }
    })
    await Promise.all(
      turns.map(async ({ key, forgets, ...turn }) => {
        const database = databases[turn.database] as (typeof databases)[number]
        const idempotency = database.processes[turn.process] as (typeof database.processes)[number]
        const reference = { operation: 'charge', scope: unscoped, key } as const
        if (forgets) {
          await idempotency.forget(reference)
          database.expected.delete(key)
        }
        const fresh = `${database.name} ${key} ${incarnations++}`
        const before = database.expected.get(key)
        const outcome = await idempotency.run(reference, () => fresh)
        answers.operations++
        if (outcome.replayed) answers.replays++
        if (outcome.value !== (before ?? fresh)) answers.wrong++
        database.expected.set(key, before ?? fresh)
      }),
    )
  }
  const asked = databases.reduce((sum, database) => sum + database.asked(), 0)
  return { ...answers, misses: asked / answers.operations }
}
