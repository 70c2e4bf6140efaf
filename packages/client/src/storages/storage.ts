/** A place where intents keep their keys. */
export interface IntentStorage {
  /**
   * Reads the entry of a name, and writes what `change` makes of it (`null`: nothing), as one step that no other tab
   * comes between. Resolves, with the new entry, once it is kept. `change` may be called more than once.
   *
   * @throws {@link IntentStorageError} when it cannot be kept
   */
  update(name: string, change: (current: string | null) => string | null): Promise<string | null>
  /** Lists the names, so that entries whose time is over can be removed. A storage without it keeps them. */
  names?(): Iterable<string>
}

/** A storage that answers at once, as most of a browser do. */
export interface PlainStorage {
  get(name: string): string | null
  set(name: string, value: string): void
  remove(name: string): void
  names?(): Iterable<string>
}
