/** Describes a request to every page. */
export interface PageContext {
  readonly user: string
  readonly mayChange: boolean
  readonly nonce: string
  /** Proves that a form comes from this page. */
  readonly formToken: string
  readonly now: Date
  /** Returns the address of a path of the console. */
  link(path: string): string
}
