/** What a worker and its parent say to each other. */
import type { Place } from './place.ts'

/**
 * How a call has its effect: in a transaction of the store (`fenced`, `single`), downstream under a derived key, or
 * downstream with nothing to protect it (`external`; `park`: what was interrupted is not run again).
 */
export type Mode = 'fenced' | 'single' | 'derived' | 'external' | 'park'

export interface Job {
  readonly place: Place
  readonly leaseMs: number
}

/** `linger`: stand still between the effect and its settling, there to be killed. */
export interface Request {
  readonly id: number
  readonly mode: Mode
  readonly key: string
  readonly linger: boolean
}

export type Reply =
  | { readonly kind: 'ready' }
  /** The effect is made (or was refused: `made` is false), and nothing is settled yet. */
  | { readonly kind: 'effect'; readonly id: number; readonly made: boolean }
  | { readonly kind: 'answer'; readonly id: number; readonly value: string; readonly attempt: number }
  /** A client sends it again. */
  | { readonly kind: 'again'; readonly id: number; readonly code: string }
  | { readonly kind: 'unknown'; readonly id: number }
  /** What no call should come to. */
  | { readonly kind: 'problem'; readonly id: number; readonly message: string }
