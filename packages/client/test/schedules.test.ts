/** One intent has one effect, whatever is lost, late, sent twice or answered by a gateway, in two tabs and over reloads. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createIdempotentFetch,
  type IdempotentFetch,
  IntentChangedError,
  IntentUnreachableError,
  memoryStorage,
} from '../src/index.ts'
import { lossyFetch } from '../src/lossy.ts'
import { gateway } from './gateway.ts'
import { createServer } from './server.ts'

const RUNS = Number(process.env.FC_RUNS ?? 300)
const SEED = process.env.FC_SEED === undefined ? {} : { seed: Number(process.env.FC_SEED) }
const INTENTS = ['book', 'pen', 'cup'] as const
type Intent = (typeof INTENTS)[number]
/** The same intent was sent with another amount, and may have had an effect. */
const CHANGED = 'changed'

const intent = fc.constantFrom(...INTENTS)
const tab = fc.constantFrom(0, 1)
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('click' as const),
      tab,
      intent,
      /** A user who corrects the form sends another. */
      amount: fc.constantFrom(1, 1, 2),
      waits: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), tab }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('done' as const, 'cancel' as const), tab, intent }) },
)
const rate = fc.double({ min: 0, max: 0.5, noNaN: true })
const network = fc.record({
  loseRequests: rate,
  loseResponses: rate,
  duplicate: rate,
  delay: fc.constantFrom(0, 0, 2),
  seed: fc.nat(),
})
const schedule = fc.record({
  network,
  courses: fc.array(fc.constantFrom('charged' as const, 'declined' as const, 'failed' as const)),
  /** About every second request is answered by something in front of the server. */
  gateway: fc.record({ answers: fc.array(fc.nat(17), { maxLength: 20 }), isElsewhere: fc.boolean() }),
  actions: fc.array(action, { minLength: 1, maxLength: 12 }),
})

test(`${RUNS} schedules of loss, delay, duplication, gateways, declined cards, reload and clearing`, {
  timeout: 3_600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async ({ network, courses, gateway: between, actions }) => {
      // a gateway does not resend what is not idempotent (RFC 9110, 9.2.2): what arrives twice does so behind it
      const { duplicate, ...outside } = network
      const inside = lossyFetch({ duplicate, seed: network.seed }, (...request) => server.fetch(...request))
      const lossy = lossyFetch(outside, gateway(between, inside))
      const server = createServer(courses)
      const storage = memoryStorage()
      const cleared = new Map<Intent, number>()
      /** The intents that each tab gave up: the clicks that are under way there end. */
      const gaveUp = new Set<string>()
      const open = () => ({
        client: createIdempotentFetch({
          storage,
          fetch: lossy,
          retry: { backoff: { first: 1, max: 2 }, tries: 6 },
          // nothing in front of this server answers with 402
          verdict: ({ status }) => (status === 402 ? 'drop' : undefined),
        }),
        unload: new AbortController(),
      })
      const tabs = [open(), open()]
      const under: Promise<unknown>[] = []

      async function click(
        client: IdempotentFetch,
        intent: Intent,
        amount: number,
        signal?: AbortSignal,
        tab?: number,
      ) {
        const init = { intent, body: JSON.stringify({ item: intent, amount }), ...(signal && { signal }) }
        try {
          const response = await client.fetch('https://shop.example/payments', init)
          return response.status === 201 ? ((await response.json()) as { id: number }).id : undefined
        } catch (error) {
          // no answer, the page is gone, or its user gave up: what may end a click
          if (error instanceof IntentUnreachableError || signal?.aborted) return undefined
          if (error instanceof IntentChangedError) return CHANGED
          if (error instanceof DOMException && gaveUp.has(`${tab} ${intent}`)) return undefined
          throw error
        }
      }

      for (const step of actions) {
        const at = tabs[step.tab]
        if (!at) throw new Error('no such tab')
        if (step.do === 'reload') {
          at.unload.abort()
          tabs[step.tab] = open()
        } else if (step.do === 'click') {
          const clicked = click(at.client, step.intent, step.amount, at.unload.signal, step.tab)
          under.push(clicked)
          if (step.waits) await clicked
        } else {
          cleared.set(step.intent, (cleared.get(step.intent) ?? 0) + 1)
          if (step.do === 'cancel') gaveUp.add(`${step.tab} ${step.intent}`)
          await at.client[step.do](step.intent)
        }
      }
      await Promise.all(under)

      for (const intent of INTENTS) {
        const ids: (number | undefined)[] = []
        let amount = 1
        // one tab after the other: the second clicks when the first has succeeded
        for (const { client } of [open(), open()]) {
          let id: number | undefined
          for (let tries = 0; id === undefined && tries < 50; tries++) {
            const shown = await click(client, intent, amount)
            if (shown === CHANGED) amount = 3 - amount
            else id = shown
          }
          ids.push(id)
        }
        expect(ids[1]).toBe(ids[0])
        const paid = server.payments.filter(({ body }) => JSON.parse(body).item === intent)
        expect(new Set(paid.map(({ key }) => key)).size).toBe(paid.length)
        expect(paid.map(({ id }) => id)).toContain(ids[0])
        expect(paid.length).toBeLessThanOrEqual(1 + (cleared.get(intent) ?? 0))
      }
      const owners = new Map(server.payments.map(({ key, body }) => [key, body]))
      for (const { key, body } of server.payments) expect(owners.get(key)).toBe(body)
    }),
    { numRuns: RUNS, ...SEED },
  )
})
