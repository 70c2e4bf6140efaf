/** Middleware that wrapped a response before it was captured sees what a framework would send. Late bytes and writes change nothing. */
import { createServer, type ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { captureResponse, sendResponse } from '../src/node.ts'
import type { HandlerAnswer } from '../src/protocol/exchange.ts'
import { listening, send } from './client.ts'

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Served {
  /** Wraps the response before it is captured. */
  readonly outside?: (res: ServerResponse) => unknown
  readonly handler: (res: ServerResponse) => unknown
  /** Waits before the answer leaves. */
  readonly held?: (answer: HandlerAnswer) => unknown
}

async function serve({ outside, handler, held }: Served): Promise<number> {
  const server = createServer(async (_req, res) => {
    outside?.(res)
    const captured = captureResponse(res, { maxResponseBytes: 1000, stream: false, whole: false })
    handler(res)
    await held?.(await captured.answered)
    captured.release()
  })
  servers.push(server)
  return listening(server)
}

/** Notes the bytes that leave, as loggers of bodies do. */
function noteChunks(res: ServerResponse, seen: unknown[]): void {
  const { write, end } = res
  const noted =
    (method: typeof write | typeof end) =>
    (chunk: unknown, ...rest: unknown[]) => {
      if (chunk) seen.push(typeof chunk === 'string' ? chunk : (chunk as Buffer).toString('utf8'))
      return Reflect.apply(method, res, [chunk, ...rest])
    }
  Object.assign(res, { write: noted(write), end: noted(end) })
}

describe('an answer that was held', () => {
  it('has the bytes with which its handler ended, though that uses them again', async () => {
    const recorded: string[] = []
    const port = await serve({
      handler(res) {
        const bytes = Buffer.from('secret')
        res.end(bytes)
        bytes.fill('x')
      },
      held: ({ response }) => recorded.push(Buffer.from(response.body).toString()),
    })
    expect((await send(port)).body.toString()).toBe('secret')
    expect(recorded).toEqual(['secret'])
  })

  it.each<[string, (res: ServerResponse) => unknown]>([
    ['ended with a Buffer', (res) => res.end(Buffer.from('bytes'))],
    ['ended with an array of bytes', (res) => res.end(new TextEncoder().encode('bytes'))],
    ['written', (res) => res.write(Buffer.from('bytes')) && res.end()],
    ['written in two parts', (res) => res.write(Buffer.from('by')) && res.end(Buffer.from('tes'))],
  ])('reaches middleware outside as text or as a Buffer: %s', async (_, handler) => {
    const seen: unknown[] = []
    const port = await serve({ outside: (res) => noteChunks(res, seen), handler })
    expect((await send(port)).body.toString()).toBe('bytes')
    expect(seen).toEqual(['bytes'])
  })

  it('has the reason of the status that middleware outside gives it', async () => {
    let reason: string | undefined
    const port = await serve({
      outside(res) {
        const { writeHead } = res
        function changed() {
          res.statusCode = 203
          return writeHead.call(res, res.statusCode)
        }
        Object.assign(res, { writeHead: changed })
        res.once('finish', () => {
          reason = res.statusMessage
        })
      },
      handler: (res) => res.end('x'),
    })
    expect((await send(port)).status).toBe(203)
    expect(reason).toBe('Non-Authoritative Information')
  })

  it('keeps a reason that its handler gave', async () => {
    const reasons: string[] = []
    const outside = (res: ServerResponse) => res.once('finish', () => reasons.push(res.statusMessage))
    await send(await serve({ outside, handler: (res) => res.writeHead(200, 'Fine').end('x') }))
    await send(await serve({ outside, handler: (res) => Object.assign(res, { statusMessage: 'Well' }).end('x') }))
    expect(reasons).toEqual(['Fine', 'Well'])
  })

  it('takes what middleware outside adds to it that ends it later', async () => {
    const port = await serve({
      outside(res) {
        const { write, end } = res
        function ended(chunk: unknown) {
          if (chunk) write.call(res, chunk, 'utf8', undefined)
          void turn().then(() => {
            res.write(', and a footer')
            end.call(res, undefined, 'utf8')
          })
          return res
        }
        Object.assign(res, { end: ended })
      },
      handler: (res) => res.writeHead(200).end('bytes'),
    })
    expect((await send(port)).body.toString()).toBe('bytes, and a footer')
  })

  it('takes no more, and throws at nobody who writes later, as after it has left', async () => {
    const codes: unknown[] = []
    let written: Promise<unknown> = Promise.resolve()
    const port = await serve({
      handler(res) {
        res.end('once')
        written = turn().then(() => {
          res.write('late', (error) => codes.push((error as NodeJS.ErrnoException).code))
          res.end('later', () => codes.push('ended'))
          res.write('without a callback')
        })
      },
      async held() {
        await written
        await turn()
      },
    })
    expect((await send(port)).body.toString()).toBe('once')
    expect(codes).toEqual(['ERR_STREAM_WRITE_AFTER_END', 'ended'])
  })
})

describe('a response that is sent whole', () => {
  const headers = [['Content-Type', 'text/plain']] as const
  const body = new TextEncoder().encode('bytes')

  async function sent(status: number, given: Uint8Array, before: (res: ServerResponse) => unknown = () => {}) {
    const seen: unknown[] = []
    let declared: unknown
    const server = createServer((_req, res) => {
      before(res)
      noteChunks(res, seen)
      sendResponse(res, { status, headers, body: given })
      declared = res.getHeader('content-length')
    })
    servers.push(server)
    const answer = await send(await listening(server))
    return { seen, declared, answer }
  }

  it('shows its length and its bytes to middleware outside, as those of a framework do', async () => {
    const { seen, declared, answer } = await sent(200, body)
    expect([seen, Number(declared), answer.header('content-length')]).toEqual([['bytes'], 5, '5'])
  })

  it.each([204, 304])('declares no length with %d', async (status) => {
    const { declared, answer } = await sent(status, new Uint8Array())
    expect([declared, answer.header('content-length')]).toEqual([undefined, undefined])
  })

  it('declares no length where middleware outside has set the coding of the transfer', async () => {
    const { declared, answer } = await sent(200, body, (res) => res.setHeader('Transfer-Encoding', 'chunked'))
    expect([declared, answer.header('content-length'), answer.body.toString()]).toEqual([undefined, undefined, 'bytes'])
  })
})
