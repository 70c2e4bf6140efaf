import type { Answer, RouteRequest } from '../app.ts'
import { answers, chunksOf, created, type RouteDescription, run, utf8 } from './route.ts'

const MIB = 1_048_576
const octets = ['Content-Type', 'application/octet-stream'] as const

/** Every octet, and the number of the run, so that a second run would be seen. */
function binary(runs: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index === 0 ? runs : index % 256))
}

/** Answers that are recorded and replayed. */
export const plainRoutes: readonly RouteDescription[] = [
  answers('/json', created),
  answers('/json', created, { method: 'PATCH' }),
  answers('/text', (runs) => ({ status: 200, body: { text: `run ${runs}: Zoë` } })),
  answers('/no-content', () => ({ status: 204 })),
  answers('/redirect', (runs) => ({ status: 303, redirect: `/charges/${runs}` })),
  answers('/bytes', (runs) => ({ status: 200, headers: [octets], body: { bytes: binary(runs, MIB) } })),
  answers('/partial', (runs) => ({
    status: 206,
    headers: [['Content-Range', 'bytes 0-9/100'], octets],
    body: { bytes: binary(runs, 10) },
  })),
  answers('/pieces', (runs) => ({
    status: 200,
    headers: [['Content-Type', 'text/plain']],
    body: { chunks: chunksOf([utf8.encode('one '), utf8.encode('two '), utf8.encode(`run ${runs}`)]) },
  })),
  answers('/serialized', (runs) => ({
    status: 201,
    body: { json: { id: runs, passwordHash: 'hunter2', toJSON: () => ({ id: runs }) } },
  })),
  answers('/raw', (runs) => ({
    status: 201,
    headers: [['Content-Type', 'text/plain']],
    body: { text: `run ${runs}` },
    raw: true,
  })),
  // as those do who wrapped it, and take their wrapper away
  answers('/deleted-end', (runs) => ({
    status: 201,
    raw(response) {
      Reflect.deleteProperty(response, 'end')
      response.statusCode = 201
      response.end(`run ${runs}`)
    },
  })),
  answers('/deleted-methods', (runs) => ({
    status: 201,
    raw(response) {
      for (const name of ['writeHead', 'write', 'end']) Reflect.deleteProperty(response, name)
      response.statusCode = 201
      response.write('run ')
      response.end(`${runs}`)
    },
  })),
  answers('/cookies', (runs) => ({
    status: 200,
    headers: [
      ['Set-Cookie', 'session=secret; HttpOnly'],
      ['Set-Cookie', 'theme=dark; Path=/'],
      ['X-Own', 'kept'],
    ],
    body: { json: { runs } },
  })),
  answers('/without', (runs) => ({
    status: 201,
    removes: ['X-RateLimit-Remaining', 'Access-Control-Allow-Origin'],
    headers: [['Access-Control-Allow-Origin', 'https://shop.example']],
    body: { json: { runs } },
  })),
  answers('/refusal', (runs) => ({ status: 402, body: { json: { error: 'no funds', runs } } })),
  answers('/compressed-outside', compressible, { compression: 'outside' }),
  answers('/compressed-inside', compressible, { compression: 'inside' }),
  { path: '/status', handle: statusOfBody },
  { path: '/echo', handle: echo },
]

/** With a header of two values, beside which its type has to stay one. */
function compressible(runs: number): Answer {
  const headers = [
    ['Link', '</charges>'],
    ['Link', '</refunds>'],
  ] as const
  return { status: 201, headers, body: { json: { runs, text: 'x'.repeat(5_000) } } }
}

async function statusOfBody(request: RouteRequest): Promise<Answer> {
  const runs = run(request)
  const { status } = (await request.body()) as { status: number }
  return { status, body: { json: { runs } } }
}

async function echo(request: RouteRequest): Promise<Answer> {
  run(request)
  const body = await request.body()
  if (body instanceof Uint8Array) return { status: 200, headers: [octets], body: { bytes: body } }
  return { status: 200, body: { json: body } }
}
