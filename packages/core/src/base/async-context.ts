/** Async contexts, as `AsyncLocalStorage` carries them. */

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => { runInAsyncScope<T>(run: () => T): T }
}

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): AsyncHooks | undefined } }
const hooks = process?.getBuiltinModule?.('node:async_hooks')
const own = hooks && new hooks.AsyncResource('retryproof')

/**
 * Runs what serves many calls outside of the async context of each: a timer would keep the context in which it was made, with all
 * that hangs on it, and bring it to the calls of others.
 */
export function outside<T>(run: () => T): T {
  return own ? own.runInAsyncScope(run) : run()
}
