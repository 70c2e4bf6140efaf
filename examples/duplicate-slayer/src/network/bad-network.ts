/** The bad network, between any page and any server: loses requests and answers, and tells how each one fared. */
import type { DeathPoint } from '../naming.ts'

/** The present state of the network. Its members may be changed at any time. */
export interface Conditions {
  /** Requests go to the guarded route, or to the same handler without idempotency. */
  idempotency: boolean
  /** Shares, 0 to 1. */
  lostResponses: number
  lostRequests: number
  /** The next request that gets through makes its worker stop here. */
  dieAt?: DeathPoint | undefined
}

/** The fate of a request. */
export type Fate = 'on its way' | 'answered' | 'request lost' | 'response lost' | 'server died'

/** One request on its way through the network. */
export interface Flight {
  readonly id: number
  readonly key: string
  readonly order: string
  readonly fate: Fate
  readonly status?: number
  readonly replayed?: boolean
}

export interface Answer {
  readonly status: number
  readonly replayed: boolean
}

export interface BadNetworkOptions {
  readonly conditions: Conditions
  /** 0 to 1: decides what is lost. */
  readonly random: () => number
  /** Told when a request sets off, and when its fate is known. */
  readonly onFlight: (flight: Flight) => void
}

/** Carries a request: gives its answer, or undefined where the page gets none. `forward` rejects where the server dies. */
export type Carry = <Got extends Answer>(
  request: Pick<Flight, 'key' | 'order'>,
  forward: (route: { readonly guarded: boolean; readonly dieAt: DeathPoint | undefined }) => Promise<Got>,
) => Promise<Got | undefined>

export function badNetwork({ conditions, random, onFlight }: BadNetworkOptions): Carry {
  let flights = 0
  return async (request, forward) => {
    const flight: Flight = { id: ++flights, ...request, fate: 'on its way' }
    onFlight(flight)
    if (random() < conditions.lostRequests) {
      onFlight({ ...flight, fate: 'request lost' })
      return undefined
    }
    const losesResponse = random() < conditions.lostResponses
    const { dieAt, idempotency: guarded } = conditions
    conditions.dieAt = undefined
    const answer = await forward({ guarded, dieAt }).catch(() => undefined)
    if (!answer) onFlight({ ...flight, fate: 'server died' })
    else {
      const { status, replayed } = answer
      onFlight({ ...flight, fate: losesResponse ? 'response lost' : 'answered', status, replayed })
    }
    return losesResponse ? undefined : answer
  }
}

/** The key in the header `Idempotency-Key`, without its quotes. */
export function keyIn(header: string | null | undefined): string {
  return (header ?? '').replace(/^"|"$/g, '')
}

/** The order that a body is about; empty where it is about none. */
export function orderIn(body: string): string {
  try {
    const { order } = JSON.parse(body) as { order?: unknown }
    return typeof order === 'string' ? order : ''
  } catch {
    return ''
  }
}
