/** Plays the scenarios against a shop, one payment after the other. */
import { type Answer, payUntilAnswered, type Scenario, scenarios } from './scenarios.ts'
import type { Shop } from './shop.ts'

export async function runScenarios(shop: Shop): Promise<void> {
  for (const scenario of scenarios) {
    const killed = scenario.dieAt ? shop.killWorkerAt(scenario.dieAt) : undefined
    const answers = await Promise.all(
      Array.from({ length: scenario.copies }, () => payUntilAnswered(shop.url, scenario)),
    )
    await killed
    console.log(describe(scenario, answers))
  }
}

function describe({ key, title, copies }: Scenario, answers: readonly Answer[]): string {
  const requests = answers.reduce((total, answer) => total + answer.requests, 0)
  const replays = answers.filter((answer) => answer.replayed).length
  const distinct = new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size
  const sent = copies > 1 ? `${copies} copies, ${requests} requests` : `${requests} request${requests > 1 ? 's' : ''}`
  return `${key}: ${title}: ${sent}, ${replays} replayed, ${distinct === 1 ? 'one answer' : `${distinct} DIFFERENT answers`}`
}
