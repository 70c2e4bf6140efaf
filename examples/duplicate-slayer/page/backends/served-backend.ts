/** The demo's server. Its events come as a stream, which the browser opens again by itself. */
import type { Backend } from './backend.ts'

export const servedBackend: Backend = {
  charges: '/charges',
  fetch: (...request) => fetch(...request),
  outlivesPage: true,

  connect(listeners) {
    const stream = new EventSource('/demo/events')
    for (const [name, listen] of Object.entries(listeners)) {
      stream.addEventListener(name, (event) => (listen as (data: unknown) => void)(JSON.parse(event.data)))
    }
  },

  change: (changes) => ask('PATCH', '/demo/settings', changes),
  kill: () => ask('POST', '/demo/kill'),
  clear: () => ask('POST', '/demo/clear'),
}

/** Throws what the demo says where it cannot. */
async function ask(method: 'POST' | 'PATCH', path: string, body?: unknown): Promise<void> {
  const response = await fetch(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
  if (response.ok) return
  const { problem } = (await response.json()) as { problem: string }
  throw new Error(problem)
}
