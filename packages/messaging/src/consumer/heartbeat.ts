import type { Delivery } from './delivery.ts'

export interface Heartbeat {
  /** Ends the heartbeat when the attempt ends, so that the broker and the store let go together. */
  endsWith(signal: AbortSignal): void
  stop(): void
}

/** Keeps a delivery from being given to another consumer. */
export function startHeartbeat<Message>({ extend }: Delivery<Message>, failed: (error: unknown) => void): Heartbeat {
  if (!extend) return { endsWith: () => {}, stop: () => {} }
  const timer = setInterval(async () => {
    try {
      await extend.act()
    } catch (error) {
      failed(error)
    }
  }, extend.everyMs)
  const stop = () => clearInterval(timer)
  return { endsWith: (signal) => signal.addEventListener('abort', stop), stop }
}
