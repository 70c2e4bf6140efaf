/** Messages that the page gets as things happen. Shared by the server, which sends it, and the page, which shows it. */
import type { StoreName } from '../naming.ts'
import type { Fate } from '../network/bad-network.ts'

/** One idempotency key: a line of the table. */
export interface Row {
  readonly key: string
  readonly order: string
  /** The record's state, or `no record`. */
  readonly status: string
  /** The number of attempts of the record. */
  readonly attempts: number
  readonly result: string
  /** The number of times that the key was sent. */
  readonly requests: number
  /** The number of charges of the provider for the order. */
  readonly charges: number
}

export interface Score {
  /** Orders that somebody wanted to pay. */
  readonly intents: number
  /** The sum that the provider charged for them. */
  readonly charges: number
  /** Orders that were charged more than once. */
  readonly doubled: number
  /** Orders whose page has its answer; the others are under way. */
  readonly answered: number
}

export interface Settings {
  readonly idempotency: boolean
  readonly lostResponses: number
  readonly lostRequests: number
  readonly store: StoreName | PageStore
}

/** The store of a page that plays without a server. */
export type PageStore = 'memory'

/** The requests of a page. */
export interface Controls {
  change(changes: Partial<Settings>): Promise<void>
  /** The worker dies in the middle of the next payment. */
  kill(): Promise<void>
  /** Starts over: no payments, and the network as it was. */
  clear(): Promise<void>
}

/** A store that can be chosen, or why it cannot. */
export interface StoreChoice {
  readonly name: Settings['store']
  readonly title: string
  readonly missing?: string
}

/** A figure of OpenTelemetry. */
export interface Figure {
  readonly name: string
  readonly title: string
  readonly value: string
}

/** Each is the data of a server-sent event of that name. */
export interface LiveEvents {
  settings: Settings & { readonly stores: readonly StoreChoice[]; readonly worker: number }
  score: Score
  rows: readonly Row[]
  figures: readonly Figure[]
  flight: {
    readonly id: number
    readonly order: string
    readonly fate: Fate
    readonly status?: number
    readonly replayed?: boolean
  }
  /** Something to be told in words. */
  news: { readonly text: string }
  /** Everything starts over. */
  cleared: Record<string, never>
}

export type Send = <Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]) => void
