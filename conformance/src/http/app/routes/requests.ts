import { answers, created, type RouteDescription, run } from './route.ts'

/** Routes about requests: methods, keys and bodies that are guarded. */
export const requestRoutes: readonly RouteDescription[] = [
  {
    path: '/attempt',
    handle: (request) => {
      const runs = run(request)
      const { attempt } = request
      const told = attempt && {
        number: attempt.number,
        interrupted: attempt.interrupted,
        key: attempt.keyFor('charge'),
        aborted: attempt.signal.aborted,
        hasToken: typeof attempt.token === 'number',
      }
      return { status: runs === 1 ? 500 : 200, body: { json: told ?? null } }
    },
  },
  {
    path: '/optional',
    guard: { required: false },
    handle: (request) => {
      const runs = run(request)
      return { status: 200, body: { json: { runs, guarded: request.attempt !== undefined } } }
    },
  },
  {
    path: '/by-user',
    guard: { byUser: true, record: 'all' },
    handle: (request) => {
      const runs = run(request)
      return { status: 500, body: { json: { runs, user: request.header('x-user') } } }
    },
  },
  answers('/strict', created, { guard: { syntax: 'strict' } }),
  answers('/create', () => ({ status: 201, body: { json: { made: 'payment' } } }), { prefix: '/payments' }),
  answers('/create', () => ({ status: 201, body: { json: { made: 'refund' } } }), { prefix: '/refunds' }),
  answers('/untouched', created, { method: 'HEAD' }),
  answers('/own', created, { method: 'PUT' }),
  answers('/head', (runs) => ({ status: 200, headers: [['X-Runs', String(runs)]], body: { text: 'unseen' } }), {
    method: 'HEAD',
    guard: { methods: ['HEAD'] },
  }),
  answers('/deleted', (runs) => ({ status: 200, body: { json: { runs } } }), {
    method: 'DELETE',
    guard: { methods: ['DELETE'] },
  }),
  answers('/mine', created, { guard: { byUser: true } }),
  answers('/slow', created, { guard: { store: 'slow' } }),
  answers('/unreachable', created, { guard: { store: 'unreachable' } }),
  answers('/unrecorded', created, { guard: { store: 'unrecording', lease: '60s' } }),
]
