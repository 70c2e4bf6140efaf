/** A client whose server gives prepared answers. */
import { createIdempotentFetch, type FetchOptions, memoryStorage } from '../src/index.ts'

export const URL = 'https://shop.example/charges'
export const HOUR_MS = 3_600_000

/** A client whose server gives `answers` in turn, and the last one for ever; `undefined`: none comes. */
export function setUp(answers: readonly (Response | undefined)[], options: FetchOptions = {}) {
  const sent: { key: string | null; url: string; method: string; body: string; authorization: string | null }[] = []
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    retry: { backoff: { first: 1, max: 1 } },
    ...options,
    async fetch(request) {
      const { url, method, headers } = request as Request
      const [key, authorization] = [headers.get('Idempotency-Key'), headers.get('Authorization')]
      sent.push({ key, url, method, authorization, body: await (request as Request).clone().text() })
      const answer = answers[Math.min(sent.length, answers.length) - 1]
      if (!answer) throw new TypeError('fetch failed')
      const { redirected, type, status, ok } = answer
      return Object.defineProperties(answer.clone(), {
        url: { value: url },
        redirected: { value: redirected },
        type: { value: type },
        status: { value: status },
        ok: { value: ok },
      })
    },
  })
  const keys = () => new Set(sent.flatMap(({ key }) => key ?? []))
  const send = (body: BodyInit | null = 'a', init: RequestInit = {}) =>
    client.fetch(URL, { intent: 'i', body, ...init })
  return { client, sent, keys, send }
}

export const answer = (status: number, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : 'text', { status, headers })
export const ok = answer(201)
