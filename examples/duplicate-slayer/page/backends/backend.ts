/** The side of the page where payments go: the demo's server, or a shop in the page itself. */
import type { Controls, LiveEvents } from '../../src/board/live.ts'

export type Listeners = { readonly [Name in keyof LiveEvents]: (data: LiveEvents[Name]) => void }

export interface Backend extends Controls {
  /** The address of `POST /charges`. */
  readonly charges: string
  readonly fetch: typeof fetch
  /** A page that is loaded again, or in another tab, finds the same shop. */
  readonly outlivesPage: boolean
  /** Calls the listeners with how things are, and with every change. */
  connect(listeners: Listeners): void
}
