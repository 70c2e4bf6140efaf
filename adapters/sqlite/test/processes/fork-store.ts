import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  type IdempotencyStore,
  type ListedRecord,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core'
import type { Answer, Call, Request } from './messages.ts'

export interface StoreProcess {
  readonly child: ChildProcess
  /** The store of that process. Its transactions are synchronous, and cannot be joined from here. */
  store(now?: () => number): IdempotencyStore
  call(call: Call, nowMs?: number): Promise<unknown>
  stop(): Promise<void>
}

/** Starts a process that opens `file`. */
export async function forkStore(file: string): Promise<StoreProcess> {
  const child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [file], {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
  })
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const exited = once(child, 'exit')
  let lastId = 0
  child.on('message', ({ id, value, error }: Answer) => {
    const caller = pending.get(id)
    pending.delete(id)
    if (error) caller?.reject(toError(error))
    else caller?.resolve(value)
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of pending.values()) reject(new Error(`The process ended (${code ?? signal}).`))
  })
  const answer = (id: number) => new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject }))

  const call: StoreProcess['call'] = (asked, nowMs) => {
    const id = ++lastId
    const answered = answer(id)
    child.send({ ...asked, id, ...(nowMs !== undefined && { nowMs }) } satisfies Request)
    return answered
  }
  await answer(0)

  return {
    child,
    call,
    store(now) {
      const ask = async <T>(asked: Call): Promise<T> => (await call(asked, now?.())) as T
      return {
        capabilities: {
          clock: 'host',
          durable: true,
          shared: 'host',
          transactional: false,
          maxValueBytes: 16 * 1024 * 1024,
        },
        begin: (...args) => ask({ method: 'begin', args }),
        transition: (...args) => ask({ method: 'transition', args }),
        get: (...args) => ask({ method: 'get', args }),
        purge: (...args) => ask({ method: 'purge', args }),
        async *list(query) {
          yield* await ask<ListedRecord[]>({ method: 'list', args: [query] })
        },
      }
    },
    async stop() {
      child.disconnect()
      await exited
    },
  }
}

function toError({ name, message, applied }: NonNullable<Answer['error']>): Error {
  if (applied) return new StoreUnavailableError(message, { applied })
  return name === 'StoreMisconfiguredError' ? new StoreMisconfiguredError(message) : new Error(`${name}: ${message}`)
}
