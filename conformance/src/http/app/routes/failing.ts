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
  answers('/options-throw', () => ({ status: 201 }), { guard: { throwsAsAsked: true } }),
  answers('/scoped', () => ({ status: 201 }), { guard: { scopeAsAsked: true } }),
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

/** Values that frameworks take for no error, or for a word of their own, by the name under which a request asks for them. */
export const strangeErrors: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  empty: '',
  zero: 0,
  false: false,
  route: 'route',
}

/** Scopes that name nobody, by the name under which a request asks for them in `X-Scope`. */
export const nobodies: Readonly<Record<string, unknown>> = {
  'an empty text': '',
  'the text undefined': 'undefined',
  'a text of an object': '[object Object]',
  'a list of nothing': [],
  'a list with an empty text': ['tenant', ''],
  'a list with undefined': ['tenant', undefined],
  'a promise of an empty text': Promise.resolve(''),
  undefined,
  null: null,
}

/** Gives the scope that a request asks for. */
export function scopeAsAsked(asked: string): string {
  return (Object.hasOwn(nobodies, asked) ? nobodies[asked] : asked) as string
}

/** Names functions among the options, each of which throws where a request asks for it in `X-Throws`. */
export const throwingOptions = ['scope', 'key', 'problem'] as const

/** Throws the strange error that a request asks for: the option and the name of the error, such as `scope undefined`. */
export function throwAsAsked(option: (typeof throwingOptions)[number], asked: string | null | undefined): void {
  const [asking, name = ''] = (asked ?? '').split(' ')
  if (asking === option) throw strangeErrors[name]
}
