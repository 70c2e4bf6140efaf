import type { IdempotencyStore, NoTransactions } from '@retryproof/core'
import { freshKey } from './tools/keys.ts'
import type { Address } from './tools/proxy.ts'

/** Tells the suite about a store: how to open it, and where its limits are. */
export interface StoreHarness<Tx = NoTransactions, Store extends IdempotencyStore<Tx> = IdempotencyStore<Tx>> {
  /**
   * Opens a store on the records that all stores of this harness share. Checks that need several clients call it several
   * times, and each should then have a connection of its own; a store that is shared within one process only is opened
   * once per check. `now` (ms) replaces the store's clock; the checks that test the real clock do not give it.
   */
  open(options: OpenOptions): Store | Promise<Store>
  /** Ends what `open`, `unreachable` or `server.open` made. */
  close?(store: Store): void | Promise<void>
  /** Opens a store whose backend cannot be reached, so that every operation has to throw (C24). */
  unreachable?(): Store | Promise<Store>
  /** The server of the store, so that the suite can put a proxy before it that cuts connections. */
  server?: StoreServer<Tx, Store>
}

export interface OpenOptions {
  readonly now?: () => number
}

/** A server at `host:port`, and how to open a store that reaches it through another address. */
export interface StoreServer<Tx = NoTransactions, Store extends IdempotencyStore<Tx> = IdempotencyStore<Tx>>
  extends Address {
  /** Opens a store on the same records that connects to `address` only. */
  open(address: Address, options: OpenOptions): Store | Promise<Store>
}

/** A harness as the checks see it: they hand a transaction from the store back to it, and look at it no closer. */
export type AnyHarness = StoreHarness<unknown>
export type AnyStore = IdempotencyStore<unknown>

/** Opens `count` clients of one store (the same one, where the store lives in this process), and closes them after `use`. */
export async function withStores<T>(
  harness: AnyHarness,
  count: number,
  options: OpenOptions,
  use: (stores: readonly AnyStore[]) => Promise<T>,
): Promise<T> {
  const opened: AnyStore[] = []
  try {
    const first = await harness.open(options)
    opened.push(first)
    if (first.capabilities.shared === 'process') return await use(Array.from({ length: count }, () => first))
    while (opened.length < count) opened.push(await harness.open(options))
    return await use(opened)
  } finally {
    for (const store of opened) await harness.close?.(store)
  }
}

/** Makes clients connect as often as `calls` at once need it, so that the first race is one too. */
export async function warmUp(stores: readonly AnyStore[], calls: number): Promise<void> {
  await Promise.all(Array.from({ length: calls }, (_, index) => stores[index % stores.length]?.get(freshKey('warm'))))
}

/** Opens one store, and closes it after `use`. */
export function withStore<T>(
  harness: AnyHarness,
  options: OpenOptions,
  use: (store: AnyStore) => Promise<T>,
): Promise<T> {
  return withStores(harness, 1, options, ([store]) => use(store as AnyStore))
}
