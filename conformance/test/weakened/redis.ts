import { randomBytes } from 'node:crypto'
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import type { StoreHarness } from '../../src/store/harness.ts'

/** The commands that reply in bytes: ioredis has it, and its types do not. */
interface Binary {
  evalBuffer(script: string, ...rest: unknown[]): Promise<unknown>
}

/** Stores whose script is changed on its way to the server. */
export function weakenedRedis(url: string, weaken: (lua: string) => string): StoreHarness {
  const prefix = `weakened-${randomBytes(6).toString('hex')}:`
  const clients = new Map<unknown, Redis>()
  return {
    open({ now }) {
      const client = new Redis(url, { autoResendUnfulfilledCommands: false })
      const evaluate = (client as unknown as Binary).evalBuffer.bind(client)
      Object.assign(client, {
        evalshaBuffer: async () => {
          throw new Error('NOSCRIPT No matching script.')
        },
        evalBuffer: (script: string, ...rest: unknown[]) => evaluate(weaken(script), ...rest),
      })
      const store = redisStore({ client, prefix, ...(now && { now }) })
      clients.set(store, client)
      return store
    },
    close: (store) => clients.get(store)?.disconnect(),
  }
}
