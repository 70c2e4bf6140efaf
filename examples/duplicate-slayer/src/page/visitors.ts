/** Visitors by their cookie: each has a room, so that nobody sees what another one does. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Room } from './room.ts'

export interface Visitors {
  /** The cookie of a visitor, new for a stranger, whose room is opened by the way. */
  greet(request: IncomingMessage): { readonly 'Set-Cookie'?: string }
  /** The room of the sender of a request; undefined for a stranger. */
  roomOf(request: IncomingMessage): Promise<Room | undefined>
  close(): Promise<void>
}

/** A room that nobody looks at is closed after this time; a page that is loaded again finds its room. */
const EMPTY_MS = 300_000
const COOKIE = /(?:^|;\s*)visitor=([0-9a-f-]{36})(?:;|$)/

export function openVisitors(open: (visitor: string) => Promise<Room>): Visitors {
  const rooms = new Map<string, Promise<Room>>()

  function enter(visitor: string): Promise<Room> {
    const room = rooms.get(visitor) ?? open(visitor)
    rooms.set(visitor, room)
    // a room that could not be opened may be tried again
    room.catch(() => rooms.delete(visitor))
    return room
  }

  const watch = setInterval(() => void closeEmpty(), EMPTY_MS)
  let seen = new Map<string, number>()

  /** Closes rooms that were empty the last time too. */
  async function closeEmpty(): Promise<void> {
    const pages = new Map<string, number>()
    for (const [visitor, opening] of rooms) {
      const room = await opening.catch(() => undefined)
      if (!room) continue
      pages.set(visitor, room.pages())
      if (room.pages() > 0 || seen.get(visitor) !== 0) continue
      rooms.delete(visitor)
      await room.close()
    }
    seen = pages
  }

  return {
    greet(request) {
      const visitor = visitorOf(request) ?? randomUUID()
      // its processes start while the page is on its way
      enter(visitor).catch(() => {})
      return { 'Set-Cookie': `visitor=${visitor}; Path=/; HttpOnly; SameSite=Strict` }
    },

    async roomOf(request) {
      const visitor = visitorOf(request)
      return visitor === undefined ? undefined : enter(visitor)
    },

    async close() {
      clearInterval(watch)
      await Promise.allSettled([...rooms.values()].map(async (room) => (await room).close()))
    },
  }
}

function visitorOf({ headers }: IncomingMessage): string | undefined {
  return COOKIE.exec(headers.cookie ?? '')?.[1]
}
