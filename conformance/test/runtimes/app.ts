/** The context that runtimes pass besides a request if they stop work when a client leaves. */
export interface Lifetime {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  readonly props: unknown
}

/** Makes an application of any framework that takes a Request. */
export type CreateApp = () => (request: Request, lifetime?: Lifetime) => Response | Promise<Response>
