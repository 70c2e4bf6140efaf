/** The stream of events from the server. The browser opens it again by itself. */
import type { LiveEvents } from '../src/live.ts'

type Listeners = { readonly [Name in keyof LiveEvents]: (data: LiveEvents[Name]) => void }

export function connect(listeners: Listeners): void {
  const stream = new EventSource('/demo/events')
  for (const [name, listen] of Object.entries(listeners)) {
    stream.addEventListener(name, (event) => (listen as (data: unknown) => void)(JSON.parse(event.data)))
  }
}

/** Asks the demo for something. Throws what it says where it cannot. */
export async function ask(method: 'POST' | 'PATCH', path: string, body?: unknown): Promise<void> {
  const response = await fetch(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
  if (response.ok) return
  const { problem } = (await response.json()) as { problem: string }
  throw new Error(problem)
}
