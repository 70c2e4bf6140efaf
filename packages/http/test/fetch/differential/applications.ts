/** Fetch handlers on Node. */
import { serve as listen, type ServerType } from '@hono/node-server'
import { unscoped } from '@retryproof/core'
import { Response as UndiciResponse } from 'undici'
import type { Application, Bench, Form } from '../../../../../conformance/src/http/differential/application.ts'
import {
  type FetchEnding,
  fetchEndings,
  foreignAnswers,
} from '../../../../../conformance/src/http/differential/endings/fetch-endings.ts'
import { describeThrown } from '../../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../../src/fetch.ts'

const errorHandlers: Record<string, ((error: unknown) => Response) | undefined> = {
  none: undefined,
  'own-500': (error) => Response.json({ handled: describeThrown(error) }, { status: 500 }),
  'own-200': (error) => Response.json({ jsonrpc: '2.0', error: describeThrown(error) }),
}

type Handler = (request: Request) => Promise<Response>

function inForm(form: Form, handler: Handler, { idempotency, write }: Bench): Handler {
  const options = { scope: unscoped, operation: 'answer' } as const
  if (form === 'bare') return handler
  if (form === 'given') return idempotent(idempotency, options, handler)
  return idempotent(idempotency, { ...options, transaction: true }, async (request, { tx }) => {
    await write(tx)
    return handler(request)
  })
}

function serve(endings: readonly FetchEnding[], form: Form, bench: Bench): Promise<number> {
  const guarded = inForm(
    form,
    async (request) => {
      bench.ran()
      return (await endings[Number(request.url.split('/').at(-1))]?.handle(request)) as Response
    },
    bench,
  )

  async function answer(request: Request): Promise<Response> {
    const onError = errorHandlers[new URL(request.url).pathname.split('/')[1] ?? '']
    try {
      return await guarded(request)
    } catch (error) {
      if (!onError) throw error
      return onError(error)
    }
  }

  return new Promise((resolve) => {
    // without the server's own Response, which writes media types in its own way
    const options = { fetch: answer, port: 0, hostname: '127.0.0.1', overrideGlobalObjects: false }
    const _server: ServerType = listen(options, ({ port }) => resolve(port))
  })
}

function fetchApplication(name: string, endings: readonly FetchEnding[], handlers: readonly string[]): Application {
  return {
    name,
    protocol: 'HTTP/1.1',
    isFetch: true,
    forms: ['bare', 'given', 'transaction'],
    errorHandlers: handlers,
    endings,
    serve: (form, bench) => serve(endings, form, bench),
  }
}

export const applications: readonly Application[] = [
  fetchApplication('Fetch on Node', fetchEndings, Object.keys(errorHandlers)),
  fetchApplication('Fetch on Node with undici', foreignAnswers(UndiciResponse), ['own-200']),
]
