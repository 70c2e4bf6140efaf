import type { RedisClient, Subscriber } from './driver.ts'

/** Shares one connection among all watchers, open as long as there is one. After a reconnection, calls every watcher. */
export function createWatch(client: RedisClient) {
  const watchers = new Map<string, Set<() => void>>()
  let subscriber: Subscriber | undefined

  function connect(): Subscriber {
    const options = { enableOfflineQueue: true }
    const duplicate = client.duplicate as (...overrides: unknown[]) => Subscriber
    const connection = duplicate.apply(client, client.isCluster ? [[], options] : [options])
    const notify = (channel: string) => {
      for (const onChange of [...(watchers.get(channel) ?? [])]) onChange()
    }
    let wasReady = false
    connection.on('message', notify)
    connection.on('ready', () => {
      if (wasReady) for (const channel of [...watchers.keys()]) notify(channel)
      wasReady = true
    })
    connection.on('error', () => {}) // it connects again by itself
    return connection
  }

  function leave(channel: string, onChange: () => void): void {
    const others = watchers.get(channel)
    if (!others?.delete(onChange) || others.size > 0) return
    watchers.delete(channel)
    if (watchers.size > 0) {
      subscriber?.unsubscribe(channel).catch(() => {}) // a message too many does no harm
    } else {
      subscriber?.disconnect()
      subscriber = undefined
    }
  }

  return async (channel: string, onChange: () => void, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return
    const own = () => {
      if (!signal.aborted) onChange()
    }
    watchers.set(channel, (watchers.get(channel) ?? new Set()).add(own))
    signal.addEventListener('abort', () => leave(channel, own), { once: true })
    subscriber ??= connect()
    try {
      await subscriber.subscribe(channel)
    } catch (error) {
      leave(channel, own)
      if (!signal.aborted) throw error
    }
  }
}
