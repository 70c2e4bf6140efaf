/** Kills workers in the middle of their writes, and then counts what was done. */
import { openBackend } from './backends.ts'
import { isInStore, openCharging, referenceTo } from './charging.ts'
import { keyOf, runClients, type Told } from './clients.ts'
import { openDownstream } from './downstream.ts'
import type { Mode } from './messages.ts'
import type { Effect, Place } from './place.ts'

export interface CrashOptions {
  readonly place: Place
  /** At the same time. */
  readonly modes: readonly Mode[]
  /** For each mode. */
  readonly keys: number
  readonly kills: number
  readonly workers?: number
  readonly leaseMs?: number
}

export interface CrashReport {
  readonly keys: number
  readonly kills: number
  /** Calls that were under way when their worker was killed. */
  readonly cut: number
  /** Keys whose effect was made more than once, and those without any. */
  readonly duplicates: number
  readonly missing: number
  /** Keys whose clients were told different things, or something that was never done. */
  readonly disagreeing: number
  /** Effects that the downstream refused, since it had them: duplicates, had it not looked. */
  readonly refused: number
  /** Keys that were parked; each was then resolved, before anything was counted. A failure to resolve one ends the drill. */
  readonly parked: number
  /** Parked keys that had had their effect. */
  readonly parkedDone: number
}

const CLIENTS = 2
const AT_ONCE = 4

export async function crashDrill(options: CrashOptions): Promise<ReadonlyMap<Mode, CrashReport>> {
  const { place, modes, kills, workers = 4, leaseMs = 60 } = options
  const names = Array.from({ length: options.keys }, (_, index) => `order-${index}`)
  const backend = await openBackend(place)
  const downstream = openDownstream(place)
  try {
    await backend.prepare()
    const load = { modes, keys: names, clients: CLIENTS, kills, workers, atOnce: AT_ONCE }
    const told = await runClients({ job: { place, leaseMs }, ...load })
    const reports = new Map<Mode, CrashReport>()
    for (const [mode, each] of told) reports.set(mode, await review(mode, each))
    return reports
  } finally {
    downstream.close()
    await backend.close()
  }

  async function review(mode: Mode, { values, unknown, kills, cut, refused }: Told): Promise<CrashReport> {
    const keys = names.map((name) => keyOf(mode, name))
    const count = async () => byKey(isInStore(mode) ? await backend.effects() : downstream.charges())
    const before = await count()
    for (const key of unknown) {
      const answer = await resolveParked(key, valuesOf(before, key)[0])
      values.set(key, (values.get(key) ?? new Set()).add(answer))
    }
    const after = await count()
    return {
      keys: keys.length,
      kills,
      cut,
      duplicates: keys.filter((key) => valuesOf(after, key).length > 1).length,
      missing: keys.filter((key) => valuesOf(after, key).length === 0).length,
      disagreeing: keys.filter((key) => {
        const [value, ...others] = values.get(key) ?? []
        return value === undefined || others.length > 0 || !valuesOf(after, key).includes(value)
      }).length,
      refused,
      parked: unknown.size,
      parkedDone: [...unknown].filter((key) => valuesOf(before, key).length > 0).length,
    }
  }

  /** As an operator does: looks downstream what was done, and says so; what was not done is run again. */
  async function resolveParked(key: string, done: string | undefined): Promise<string> {
    const { idempotency, charge } = openCharging(backend, downstream, leaseMs)
    await idempotency.resolve(referenceTo(key), done === undefined ? 'rerun' : { completed: done })
    const { value } = await charge('park', key)
    return value
  }
}

function byKey(effects: readonly Effect[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>()
  for (const { key, value } of effects) values.set(key, [...(values.get(key) ?? []), value])
  return values
}

function valuesOf(effects: ReadonlyMap<string, readonly string[]>, key: string): readonly string[] {
  return effects.get(key) ?? []
}
