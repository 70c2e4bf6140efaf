/** The run without a browser: plays the scenarios, one payment after the other, and gives the verdict. */
import { badNetwork, type Conditions } from '../network/bad-network.ts'
import { openNetwork } from '../network/network.ts'
import { randomFrom } from '../network/random.ts'
import { openShop, type Shop } from '../shop/shop.ts'
import { report } from './report.ts'
import { type Answer, payUntilAnswered, type Scenario, scenarios } from './scenarios.ts'

/** True if every payment was charged exactly once. */
export async function playOnce(options: { folder: string; idempotency: boolean; seed: number }): Promise<boolean> {
  const conditions: Conditions = { idempotency: options.idempotency, lostResponses: 0, lostRequests: 0 }
  let lost = 0
  const shop = await openShop({ folder: options.folder, customer: 'customer_1' })
  const carry = badNetwork({
    conditions,
    random: randomFrom(options.seed),
    onFlight: ({ fate }) => {
      if (fate === 'response lost') lost++
    },
  })
  const network = await openNetwork({ route: async () => ({ carry, worker: () => shop.worker().url }) })
  for (const scenario of scenarios) console.log(await play(scenario, conditions, network.url, shop))
  const exactlyOnce = await report(shop, lost)
  await network.close()
  await shop.close()
  return exactlyOnce
}

async function play(scenario: Scenario, conditions: Conditions, url: string, shop: Shop): Promise<string> {
  const { key, copies, lostResponses, dieAt } = scenario
  conditions.lostResponses = lostResponses
  conditions.dieAt = dieAt
  const killed = dieAt && shop.killWorkerAt(dieAt)
  const answers = await Promise.all(Array.from({ length: copies }, () => payUntilAnswered(url, key)))
  await killed
  return describe(scenario, answers)
}

function describe({ key, title, copies }: Scenario, answers: readonly Answer[]): string {
  const requests = answers.reduce((total, answer) => total + answer.requests, 0)
  const replays = answers.filter((answer) => answer.replayed).length
  const distinct = new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size
  const sent = copies > 1 ? `${copies} copies, ${requests} requests` : `${requests} request${requests > 1 ? 's' : ''}`
  return `${key}: ${title}: ${sent}, ${replays} replayed, ${distinct === 1 ? 'one answer' : `${distinct} DIFFERENT answers`}`
}
