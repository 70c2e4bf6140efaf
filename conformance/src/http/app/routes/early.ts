import { gate, type RouteDescription, run } from './route.ts'

/** The path of answers that come later. */
export const STATUS_PATH = '/operations'

/** Requests that are answered before their handler has. */
export const earlyRoutes: readonly RouteDescription[] = [
  {
    path: '/early',
    guard: { byUser: true, respond: 'async', storeRequest: 'no', onInProgress: 'accept' },
    handle: async (request) => {
      const runs = run(request)
      await gate(request)
      return { status: 201, headers: [['X-Own', 'kept']], body: { json: { runs } } }
    },
  },
  {
    path: '/accepted',
    guard: { byUser: true, respond: 'sync', onInProgress: 'accept' },
    handle: async (request) => {
      const runs = run(request)
      await gate(request)
      return { status: 201, body: { json: { runs } } }
    },
  },
]
