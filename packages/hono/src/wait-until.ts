/** Runtimes that stop the work of a request when its client leaves, unless they are told to wait for it. */
import type { Context } from 'hono'
import { getRuntimeKey } from 'hono/adapter'

const isAsked = !['node', 'bun', 'deno'].includes(getRuntimeKey())

export function waitUntil(c: Context, work: Promise<void>): void {
  if (!isAsked) return
  try {
    c.executionCtx.waitUntil(work.catch(() => undefined))
  } catch {
    // a context that has none, such as in a test
  }
}
