/** A tRPC endpoint: each mutation runs once, however often its call is sent, alone or in a batch. */
import { type Idempotency, isIdempotencyError } from '@retryproof/core'
import { initTRPC, TRPCError } from '@trpc/server'

interface Context {
  readonly user: string | undefined
}

interface Charge {
  /** The key of one call: those of a batch share their headers. */
  readonly key: string
  readonly amount: number
}

function readCharge(input: unknown): Charge {
  const { key, amount } = (input ?? {}) as Partial<Charge>
  if (typeof key !== 'string' || typeof amount !== 'number') throw new Error('A charge has a key and an amount.')
  return { key, amount }
}

/** Gives clients a code of tRPC. An error of the work itself stays as it is. */
function toTrpcError(error: unknown): unknown {
  const { message } = error as Error
  if (isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS')) return new TRPCError({ code: 'CONFLICT', message })
  if (isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED')) {
    return new TRPCError({ code: 'UNPROCESSABLE_CONTENT', message })
  }
  return error
}

/** @param charge the effect, given the key for the payment provider */
export function createTrpc(idempotency: Idempotency, charge: (amount: number, providerKey: string) => Promise<string>) {
  const t = initTRPC.context<Context>().create()

  /** The guard of one procedure. */
  const guarded = t.procedure.input(readCharge).use(({ ctx, path, input, next }) => {
    const { user } = ctx
    if (!user) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'Log in first.' })
    const { key, ...payload } = input

    const once = async (work: (providerKey: string) => Promise<string>) => {
      try {
        const call = { operation: path, scope: user, key, payload }
        const { value } = await idempotency.run(call, ({ keyFor }) => work(keyFor('work')))
        return value
      } catch (error) {
        throw toTrpcError(error)
      }
    }

    return next({ ctx: { once } })
  })

  return t.router({
    version: t.procedure.query(() => 1),
    charge: guarded.mutation(({ ctx, input }) => ctx.once((providerKey) => charge(input.amount, providerKey))),
  })
}
