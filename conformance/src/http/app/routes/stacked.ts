import type { Answer, RouteRequest } from '../app.ts'
import { created, type RouteDescription, run } from './route.ts'

/** Handlers behind two guards. */
export const stackedRoutes: readonly RouteDescription[] = [
  {
    path: '/stacked',
    guard: { record: 'all' },
    outer: {},
    handle: fails,
  },
  {
    path: '/stacked-kept',
    guard: { record: 'all' },
    outer: { operation: 'outer' },
    handle: fails,
  },
  {
    path: '/stacked-operations',
    guard: { syntax: 'strict' },
    outer: { operation: 'outer' },
    handle: (request) => created(run(request)),
  },
]

function fails(request: RouteRequest): Answer {
  return { status: 500, body: { json: { runs: run(request) } } }
}
