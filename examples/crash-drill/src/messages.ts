/** Messages between a worker and its parent. */
import type { Place } from './place.ts'

/**
 * The way in which a call has its effect: in a transaction of the store (`fenced`, `single`), in one that is a step (`steps`), downstream under a derived key, or
 * downstream with nothing to protect it (`external`; `park`: what was interrupted is not run again).
 */
export type Mode = 'fenced' | 'single' | 'steps' | 'derived' | 'external' | 'park'

export interface Job {
  readonly place: Place
  readonly leaseMs: number
}

/** The stages at which a call can be made to stand still, to be killed there. */
export type Stage = 'before the call' | 'before the effect' | 'after the effect' | 'before the answer'

export interface Request {
  readonly id: number
  readonly mode: Mode
  readonly key: string
  readonly linger?: Stage | undefined
}

/** Lets a call that stands still go on. */
export interface Resumption {
  readonly resume: number
}

export type Reply =
  | { readonly kind: 'ready' }
  /** It stands still here. */
  | { readonly kind: 'lingers'; readonly id: number }
  /** The downstream had the effect already, and refused it. */
  | { readonly kind: 'refused'; readonly id: number }
  | { readonly kind: 'answer'; readonly id: number; readonly value: string; readonly attempt: number }
  /** A client sends it again. */
  | { readonly kind: 'again'; readonly id: number; readonly code: string }
  | { readonly kind: 'unknown'; readonly id: number }
  /** The end that no call should have. */
  | { readonly kind: 'problem'; readonly id: number; readonly message: string }

/** The end of a call. */
export type Answer = Exclude<Reply, { kind: 'ready' | 'lingers' | 'refused' }>
