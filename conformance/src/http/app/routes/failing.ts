import { answers, gate, type RouteDescription, run, waits } from './route.ts'

/** Handlers that fail, answer late, or never. */
export const failingRoutes: readonly RouteDescription[] = [
  {
    path: '/throws',
    handle: (request) => {
      run(request)
      throw new Error('password=hunter2')
    },
  },
  answers('/fails', (runs) => ({ fails: runs === 1 ? 503 : 402 })),
  answers('/throws-late', (runs) => ({ status: 201, body: { json: { runs } }, throwsAfterwards: true })),
  {
    path: '/recovers',
    handle: async (request) => {
      const runs = run(request)
      if (runs === 1) return { status: 500 }
      await gate(request)
      return { status: 201, body: { json: { runs } } }
    },
  },
  {
    path: '/hangs',
    guard: { ...waits, lease: 200, maxRun: 200 },
    handle: (request) => {
      const runs = run(request)
      return runs === 1 ? new Promise<never>(() => {}) : { status: 201, body: { json: { runs } } }
    },
  },
]
