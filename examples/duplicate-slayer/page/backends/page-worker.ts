/** A server inside the page: one handler, with and without idempotency before it. Once killed, it says and stores nothing. */
import { createIdempotency, type IdempotencyStore, type Inspection } from '@retryproof/core'
import { wrapStore } from '@retryproof/core/store'
import { responseSerializer } from '@retryproof/http'
import { idempotent } from '@retryproof/http/fetch'
import type { FigureMeter } from '../../src/board/meter.ts'
import { chargeOperation, type DeathPoint, LEASE, NAMESPACE } from '../../src/naming.ts'

export interface PageWorker {
  /** Rejects when the worker is killed. */
  handle(request: Request, route: { guarded: boolean; dieAt: DeathPoint | undefined }): Promise<Response>
  inspect(key: string): Promise<Inspection | null>
}

export interface PageWorkerOptions {
  readonly store: IdempotencyStore
  readonly meter: FigureMeter
  /** Charges, once for each key that it is given; gives the number of the charge. */
  readonly charge: (order: string, key: string | undefined) => Promise<number>
  readonly onKilled: () => void
}

const customer = 'you'

export function startPageWorker({ store, meter, charge, onKilled }: PageWorkerOptions): PageWorker {
  let isKilled = false
  const end = Promise.withResolvers<never>()
  // nobody may be waiting when it comes
  end.promise.catch(() => {})
  const silence = new Promise<never>(() => {})
  const mortal = <Args extends unknown[], Reply>(call: (...args: Args) => Promise<Reply>) => {
    return (...args: Args): Promise<Reply> => (isKilled ? silence : call(...args))
  }
  const measured = meter.wrap(store)
  const idempotency = createIdempotency({
    store: wrapStore(measured, { begin: mortal(measured.begin), transition: mortal(measured.transition) }),
    namespace: NAMESPACE,
    lease: LEASE,
    purge: false,
  })
  meter.watch(idempotency)
  const eyes = createIdempotency({ store, namespace: NAMESPACE, serializer: responseSerializer, purge: false })

  async function pay(request: Request, key: string | undefined, dieAt: DeathPoint | undefined): Promise<Response> {
    const { order, amount } = (await request.json()) as { order: string; amount: number }
    const id = await charge(order, key)
    if (dieAt) await die()
    return Response.json({ charge: id, order, amount }, { status: 201, headers: { Location: `/charges/${id}` } })
  }

  async function die(): Promise<never> {
    await meter.flush()
    isKilled = true
    end.reject(new Error('The worker was killed.'))
    onKilled()
    return silence
  }

  const scope = () => customer
  const guard = idempotent(
    idempotency,
    { scope, operation: chargeOperation },
    (request, { attempt }, dieAt: DeathPoint | undefined) => pay(request, attempt?.keyFor('charge'), dieAt),
  )

  return {
    handle: (request, { guarded, dieAt }) =>
      Promise.race([end.promise, guarded ? guard(request, dieAt) : pay(request, undefined, dieAt)]),
    inspect: (key) => eyes.inspect({ operation: chargeOperation, scope: customer, key }),
  }
}
