import { idOf, type RouteDescription, run } from './route.ts'

/** Handlers that write in the transaction in which their answer is recorded. */
export const transactionRoutes: readonly RouteDescription[] = [
  {
    path: '/transaction',
    guard: { transaction: true },
    handle: async (request) => {
      const runs = run(request)
      const { status } = (await request.body()) as { status: number | null }
      await request.write(idOf(request))
      if (status === null) throw new Error('as it was told')
      return { status, body: { json: { runs, attempt: request.attempt?.number } } }
    },
  },
]
