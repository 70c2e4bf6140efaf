/** The measured subject: a way to make a write safe to retry, on one driver. */

/** About 1 KiB of JSON comes, and 1 KiB goes. */
export type Json = Readonly<Record<string, unknown>>

export interface Opened {
  /** Runs `work` under `key`, or replays what it gave. Throws where another attempt holds the key. */
  run(key: string, payload: Json, work: () => Promise<Json>): Promise<Json>
  close?(): Promise<void>
}

export interface Subject {
  /** `floor`: the fewest correct statements of the raw driver: atomic claim, lease, fenced completion, replay. */
  readonly kind: 'floor' | 'peer' | 'ours'
  readonly name: string
  open(): Promise<Opened>
}

export interface Driver {
  readonly name: string
  /** The work is done in this process, so that its CPU time says more than the clock of a machine that others use. */
  readonly isLocal: boolean
  readonly subjects: readonly Subject[]
}

/** Thrown by floors. */
export class Held extends Error {}
export class Reused extends Error {}

export const LEASE_MS = 30_000
export const RETENTION_MS = 86_400_000
