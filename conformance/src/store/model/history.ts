import type { IdempotencyStore } from '@retryproof/core'
import { type Command, wrapStore } from '@retryproof/core/store'
import { type Reply, send } from './command.ts'

/** One call of a history. Its effect took place between `called` and `returned`, which number the events of the run. */
export interface HistoryEntry {
  readonly client: number
  readonly key: string
  readonly command: Command
  readonly called: number
  /** `null`: nobody knows whether it took effect, nor when. */
  readonly returned: number | null
  readonly reply: Reply
  /** The time from the start of the history to the return of the call, in milliseconds. */
  readonly elapsedMs: number
}

/** Records calls that clients made at the same time, with their replies. */
export type History = readonly HistoryEntry[]

/**
 * Records every `begin`, `transition` and `get` on `stores` (one for each client). A call that fails with
 * `applied: 'no'` is left out, one that fails with `'unknown'` may take effect at any later time or never.
 */
export function recordHistory<Tx>(stores: readonly IdempotencyStore<Tx>[]): {
  readonly stores: readonly IdempotencyStore<Tx>[]
  readonly history: History
} {
  const history: HistoryEntry[] = []
  const startedMs = performance.now()
  let events = 0

  async function call(client: number, store: IdempotencyStore<Tx>, key: string, command: Command): Promise<Reply> {
    const called: HistoryEntry = { client, key, command, called: events++, returned: null, reply: null, elapsedMs: 0 }
    const replace = (...by: HistoryEntry[]) => history.splice(history.indexOf(called), 1, ...by)
    history.push(called)
    try {
      const reply = await send(store, key, command)
      replace({ ...called, returned: events++, reply, elapsedMs: performance.now() - startedMs })
      return reply
    } catch (error) {
      if (appliedOf(error) === 'no') replace()
      throw error
    }
  }

  return {
    history,
    stores: stores.map((store, client) =>
      wrapStore(store, {
        begin: (key, claim) => call(client, store, key, { op: 'begin', claim }) as ReturnType<typeof store.begin>,
        transition: (key, token, change) =>
          call(client, store, key, { op: 'transition', token, change }) as ReturnType<typeof store.transition>,
        get: (key) => call(client, store, key, { op: 'get' }) as ReturnType<typeof store.get>,
      }),
    ),
  }
}

/** Reads from a store's error what became of the call: `undefined` where it is not the error that a store may throw. */
export function appliedOf(error: unknown): 'no' | 'unknown' | undefined {
  const { code, applied } = (error ?? {}) as { code?: unknown; applied?: unknown }
  return code === 'IDEMPOTENCY_STORE_UNAVAILABLE' && (applied === 'no' || applied === 'unknown') ? applied : undefined
}
