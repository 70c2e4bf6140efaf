/** Where intents keep their keys. */
export interface IntentStorage {
  /**
   * Reads what stands under a name, and writes what `change` makes of it (`null`: nothing), as one step that no other tab
   * comes between. Resolves, with what stands there now, once it is kept. `change` may be called more than once.
   *
   * @throws IntentStorageError when it cannot be kept
   */
  update(name: string, change: (current: string | null) => string | null): Promise<string | null>
}

/** A storage that answers at once, as most of a browser do. */
export interface PlainStorage {
  get(name: string): string | null
  set(name: string, value: string): void
  remove(name: string): void
}
