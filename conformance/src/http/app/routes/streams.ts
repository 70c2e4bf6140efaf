import type { Answer, RouteRequest } from '../app.ts'
import { caseOf, change, openGate } from '../cases.ts'
import { chunksOf, gate, idOf, type RouteDescription, run, utf8, waits } from './route.ts'

const PIECE_BYTES = 62_500
export const LARGE_BYTES = 64 * PIECE_BYTES
export const HUGE_BYTES = 8_000 * PIECE_BYTES
/** More than a source gives while others have their turn. */
const ENDLESS_PIECES = 100_000

/** Answers that are not kept whole. */
export const streamRoutes: readonly RouteDescription[] = [
  {
    path: '/events',
    guard: waits,
    handle: (request) => {
      run(request)
      return {
        status: 201,
        headers: [
          ['Content-Type', 'text/event-stream'],
          ['Location', '/charges/1'],
        ],
        body: { chunks: chunksOf([utf8.encode('data: first\n\n')], gate(request), [utf8.encode('data: last\n\n')]) },
      }
    },
  },
  {
    path: '/breaks',
    guard: waits,
    handle: (request) => {
      const runs = run(request)
      if (runs > 1) return { status: 201, body: { json: { runs } } }
      const failure = gate(request).then(() => Promise.reject(new Error('disk on fire')))
      return {
        status: 200,
        headers: [['Content-Type', 'application/x-ndjson']],
        body: { chunks: chunksOf([utf8.encode('{"line":1}\n')], failure) },
      }
    },
  },
  {
    path: '/endless',
    guard: waits,
    handle: (request) => {
      const runs = run(request)
      if (runs > 1) return { status: 201, body: { json: { runs } } }
      void request.clientGone().then(() => setTimeout(change, 0, idOf(request), openGate))
      return {
        status: 200,
        headers: [['Content-Type', 'application/x-ndjson']],
        body: { chunks: untilOpened(request) },
      }
    },
  },
  { path: '/large', handle: (request) => pieces(request, LARGE_BYTES) },
  { path: '/huge', handle: (request) => pieces(request, HUGE_BYTES) },
]

/** Never waits, and fails where nobody else had a turn. */
async function* untilOpened(request: RouteRequest): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(1_024).fill(10)
  for (let given = 0; given < ENDLESS_PIECES; given++) {
    if (caseOf(idOf(request)).isOpen) return
    yield piece
  }
  throw new Error('nobody else had a turn')
}

function pieces(request: RouteRequest, bytes: number): Answer {
  run(request)
  async function* all() {
    const piece = new Uint8Array(PIECE_BYTES).fill(7)
    for (let sent = 0; sent < bytes; sent += PIECE_BYTES) yield piece
  }
  return { status: 201, headers: [['Content-Type', 'application/octet-stream']], body: { chunks: all() } }
}
