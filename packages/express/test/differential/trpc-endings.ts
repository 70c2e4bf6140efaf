/** Handlers of Express that hand their request to tRPC, which answers it. */
import { initTRPC, TRPCError } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import type { NextFunction, Request, Response } from 'express'
import type { Ending } from '../../../../conformance/src/http/differential/application.ts'

type TrpcEnding = Ending<[req: Request, res: Response, next: NextFunction]>

const t = initTRPC.create({ isDev: false })

const codes = ['BAD_REQUEST', 'UNAUTHORIZED', 'NOT_FOUND', 'CONFLICT', 'TOO_MANY_REQUESTS', 'NOT_IMPLEMENTED'] as const

const router = t.router({
  value: t.procedure.mutation(() => ({ a: 1 })),
  nothing: t.procedure.mutation(() => undefined),
  input: t.procedure.input((input) => input as object).mutation(({ input }) => input),
  refused: t.procedure
    .input((): string => {
      throw new Error('no input is right')
    })
    .mutation(() => 'never'),
  error: t.procedure.mutation(() => {
    throw new Error('declined')
  }),
  asked: t.procedure.query(() => 'by GET alone'),
  codes: t.router(
    Object.fromEntries(
      codes.map((code) => [
        code,
        t.procedure.mutation(() => {
          throw new TRPCError({ code, message: 'declined' })
        }),
      ]),
    ),
  ),
})

const middleware = createExpressMiddleware({
  router,
  responseMeta: ({ type }) => ({ headers: { 'X-Type': type } }),
})

const trpc = (url: string, headers: Record<string, string> = {}): TrpcEnding => ({
  name: `tRPC ${url}`,
  end: 'answered',
  handle(req, res, next) {
    req.url = url
    return middleware(req, res, next)
  },
  headers,
})

/** tRPC answers its errors itself. */
export const trpcEndings: readonly TrpcEnding[] = [
  ...['/value', '/nothing', '/input', '/refused', '/error', '/asked', '/missing'].map((url) => trpc(url)),
  trpc('/value,nothing?batch=1'),
  trpc('/value,error?batch=1'),
  ...codes.map((code) => trpc(`/codes.${code}`)),
  trpc('/value,error,nothing?batch=1', { 'trpc-accept': 'application/jsonl' }),
]
