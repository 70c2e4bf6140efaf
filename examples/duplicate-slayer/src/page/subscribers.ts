/** The open pages, each on a stream of server-sent events. */
import type { ServerResponse } from 'node:http'
import type { LiveEvents, Send } from '../board/live.ts'

export interface Subscribers {
  /** `greet` sends the newcomer how things are now. */
  add(response: ServerResponse, greet: (send: Send) => void): void
  count(): number
  /** To everybody. */
  readonly send: Send
}

export function openSubscribers(): Subscribers {
  const open = new Set<ServerResponse>()
  return {
    add(response, greet) {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      open.add(response)
      response.on('close', () => open.delete(response))
      greet((name, data) => void response.write(format(name, data)))
    },
    count: () => open.size,
    send: (name, data) => {
      for (const response of open) response.write(format(name, data))
    },
  }
}

function format(name: keyof LiveEvents, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
