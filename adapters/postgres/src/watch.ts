/** One connection that listens, for as long as somebody in this process waits for a record. */
import type { PostgresPool, PostgresPoolClient } from './driver.ts'
import { toStoreError } from './errors.ts'
import { CHANNEL } from './statements.ts'

type Watch = (key: string, onChange: () => void, signal: AbortSignal) => Promise<void>

export function createWatch(pool: PostgresPool<PostgresPoolClient>, table: string): Watch {
  const watchers = new Set<{ readonly key: string; readonly onChange: () => void }>()
  let listening: Promise<() => void> | undefined

  /** Listens, and gives the function that stops it. The connection is closed then, so that no one else hears. */
  async function listen(): Promise<() => void> {
    const client = await pool.connect()
    let open = true
    const stop = () => {
      if (open) client.release(true)
      open = false
    }
    client.on('error', () => {
      if (!open) return
      stop()
      listening = undefined
      // notifications may have been missed: everybody looks again, and the next to come listens for all
      for (const { onChange } of watchers) onChange()
    })
    client.on('notification', ({ channel, payload }) => {
      for (const { key, onChange } of watchers) if (channel === CHANNEL && key === payload) onChange()
    })
    await client.query(`LISTEN ${CHANNEL}`).catch((error) => {
      stop()
      throw error
    })
    return stop
  }

  return async (key, onChange, signal) => {
    if (signal.aborted) return
    const watcher = { key, onChange }
    const leave = () => {
      watchers.delete(watcher)
      if (watchers.size > 0) return
      listening?.then((stop) => stop()).catch(() => {})
      listening = undefined
    }
    watchers.add(watcher)
    signal.addEventListener('abort', leave, { once: true })
    listening ??= listen()
    const mine = listening
    try {
      await mine
    } catch (error) {
      if (listening === mine) listening = undefined
      leave()
      throw toStoreError(error, table)
    }
  }
}
