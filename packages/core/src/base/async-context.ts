/** Async contexts, as `AsyncLocalStorage` carries them. */

export interface AsyncContext {
  runInAsyncScope<This, T>(run: (this: This) => T, self: This): T
}

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => AsyncContext
}

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): AsyncHooks | undefined } }
const hooks = process?.getBuiltinModule?.('node:async_hooks')
const none: AsyncContext = { runInAsyncScope: (run, self) => run.call(self) }

/** The context of the caller. */
export const thisContext = (): AsyncContext => (hooks ? new hooks.AsyncResource('retryproof') : none)

/**
 * A timer of many calls is made in it: else it would keep the context of the call that made it, with all that hangs on it, and bring it to
 * other calls.
 */
export const contextOfNone = thisContext()
