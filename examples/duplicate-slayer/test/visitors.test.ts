import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Room } from '../src/page/room.ts'
import { openVisitors } from '../src/page/visitors.ts'

const PERIOD_MS = 300_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Rooms without processes, and a note of those that were closed. */
function testRooms(pages: (visitor: string) => number) {
  const closed: string[] = []
  const open = vi.fn(async (visitor: string) => {
    const room: Pick<Room, 'pages' | 'close'> = {
      pages: () => pages(visitor),
      close: async () => void closed.push(visitor),
    }
    return room as Room
  })
  return { closed, open, visitors: openVisitors(open) }
}

const requestOf = (cookie?: string) => ({ headers: cookie === undefined ? {} : { cookie } }) as IncomingMessage

test('each visitor has a room of its own, and finds it again', async () => {
  const { open, visitors } = testRooms(() => 1)
  const cookies = [1, 2].map(() => visitors.greet(requestOf())['Set-Cookie']?.split(';')[0])
  const rooms = await Promise.all(cookies.map((cookie) => visitors.roomOf(requestOf(`theme=dark; ${cookie}`))))
  expect(rooms[0]).toBeDefined()
  expect(rooms[0]).not.toBe(rooms[1])
  expect(await visitors.roomOf(requestOf(cookies[0]))).toBe(rooms[0])
  expect(open).toHaveBeenCalledTimes(2)
  expect(await visitors.roomOf(requestOf())).toBeUndefined()
  await visitors.close()
})

test('a room that nobody looks at is closed, and others stay', async () => {
  const looking = new Set<string>()
  const { open, closed, visitors } = testRooms((visitor) => (looking.has(visitor) ? 1 : 0))
  visitors.greet(requestOf())
  visitors.greet(requestOf())
  const [left = '', stays = ''] = open.mock.calls.map(([visitor]) => visitor)
  looking.add(stays)
  await vi.advanceTimersByTimeAsync(PERIOD_MS)
  expect(closed).toEqual([])
  await vi.advanceTimersByTimeAsync(PERIOD_MS)
  expect(closed).toEqual([left])
  await visitors.close()
  expect(closed).toEqual([left, stays])
})
