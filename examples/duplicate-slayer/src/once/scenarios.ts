/** Lists the failures of each payment, and has a client that retries as a good client does: the same key until it has an answer. */
import type { DeathPoint } from '../naming.ts'

export interface Scenario {
  readonly key: string
  readonly title: string
  /** The number of times that the payment is sent at once. */
  readonly copies: number
  /** The share of responses that the network loses. */
  readonly lostResponses: number
  readonly dieAt?: DeathPoint
}

export const scenarios: readonly Scenario[] = [
  { key: 'order-1', title: 'ten duplicates at once', copies: 10, lostResponses: 0 },
  ...['order-2', 'order-3', 'order-4', 'order-5'].map((key) => ({
    key,
    title: 'responses lost, client retries',
    copies: 1,
    lostResponses: 0.6,
  })),
  {
    key: 'order-6',
    title: 'killed before the provider was called',
    copies: 1,
    lostResponses: 0,
    dieAt: 'before-provider',
  },
  { key: 'order-7', title: 'killed after the provider charged', copies: 1, lostResponses: 0, dieAt: 'after-provider' },
]

/** The result of a client. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
  readonly requests: number
}

const MAX_REQUESTS = 40
const PAUSE_MS = 200

/** Sends until there is an answer that decides. */
export async function payUntilAnswered(url: string, key: string): Promise<Answer> {
  for (let requests = 1; requests <= MAX_REQUESTS; requests++) {
    const response = await pay(url, key).catch(() => null)
    if (response && response.status < 500 && response.status !== 409) {
      const replayed = response.headers.get('Idempotency-Replayed') === 'true'
      return { status: response.status, body: await response.text(), replayed, requests }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  throw new Error(`${key}: no answer after ${MAX_REQUESTS} requests.`)
}

function pay(url: string, key: string): Promise<Response> {
  return fetch(`${url}/charges`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"${key}"` },
    body: JSON.stringify({ order: key, amount: 4200 }),
  })
}
