/** Half of the messages are hostile, consumers are killed: is each good one handled once, and each other a dead letter that says why? */
import { setTimeout as delay } from 'node:timers/promises'
import { REASON_HEADER } from '../../src/index.ts'
import { openBroker } from './brokers.ts'
import { createCrew, seconds } from './drill.ts'
import { openEffects } from './effects.ts'
import { type GeneratedMessage, generateMessages, type Limits } from './hostile-messages.ts'
import type { Place, RawLetter } from './place.ts'

const POLL_MS = 200

/** The messages that each broker, or its client, can carry. */
const limitsOf: Record<string, Limits> = {
  bullmq: { headers: false, bytes: false, maxHeaders: 0, maxNames: 0 },
  kafka: { headers: true, bytes: true, maxHeaders: 100_000, maxNames: 12 },
  nats: { headers: true, bytes: true, maxHeaders: 50_000, maxNames: 12 },
  rabbitmq: { headers: true, bytes: true, maxHeaders: 60_000, maxNames: 12 },
  sqs: { headers: true, bytes: false, maxHeaders: 5000, maxNames: 9 },
}

export interface HostileOptions {
  readonly messages: number
  readonly seed: number
  readonly consumers: number
  readonly kills: number
  readonly timeoutMs: number
}

export interface HostileReport {
  readonly seed: number
  readonly published: number
  readonly good: number
  readonly done: number
  readonly duplicates: number
  readonly lost: readonly string[]
  readonly bad: number
  /** Counts the dead letters, those included that a crash between a letter and its record made twice. */
  readonly letters: number
  /** Names the reasons whose dead letters are too few. */
  readonly missing: readonly string[]
  /** Names dead letters that should be none, or say something untrue. */
  readonly untrue: readonly string[]
  readonly kills: number
  /** Counts the consumers that stopped without being told. */
  readonly stopped: number
  readonly seconds: number
}

export async function hostileDrill(place: Place, options: HostileOptions): Promise<HostileReport> {
  const { messages, seed, consumers, kills, timeoutMs } = options
  const limits = limitsOf[place.broker]
  if (!limits) throw new TypeError(`There is no drill for '${place.broker}'.`)
  const broker = await openBroker(place.broker)
  const effects = openEffects(place)
  const startedAt = performance.now()
  await Promise.all([effects.prepare(), broker.prepare(place)])
  const generated = generateMessages(messages, seed, limits)
  const good = generated.filter(({ effect }) => effect !== undefined)
  const published = generated.flatMap((message) => Array.from({ length: message.copies }, () => message))
  await broker.publishRaw(place, published)
  const crew = createCrew(place)
  try {
    await Promise.all(Array.from({ length: consumers }, crew.hire))
    let killed = 0
    for (let idle = 0; idle < 3; ) {
      if (performance.now() - startedAt > timeoutMs) {
        const left = await broker.left(place).catch(String)
        throw new Error(
          `Not done in ${timeoutMs} ms: ${JSON.stringify({ ...(await effects.count()), killed, left, seed })}`,
        )
      }
      await delay(POLL_MS)
      const { done } = await effects.count()
      if (killed < kills && done >= (good.length * (killed + 1)) / (kills + 2)) {
        await crew.killOne()
        killed++
      }
      const isDone = done >= good.length && killed === kills
      idle = isDone && (await broker.left(place).catch(() => 1)) === 0 ? idle + 1 : 0
    }
    const stopped = await crew.dismiss()
    const ids = await effects.ids()
    return {
      seed,
      published: published.length,
      good: good.length,
      ...(await effects.count()),
      lost: good.flatMap(({ effect = '' }) => (ids.has(effect) ? [] : [effect])),
      bad: messages - good.length,
      ...judge(generated, await broker.letters(place)),
      kills: killed,
      stopped,
      seconds: seconds(startedAt),
    }
  } finally {
    await crew.abandon()
    await Promise.all([broker.close(), effects.close()])
  }
}

/** Compares by number where a letter kept it, and by reason in all: a letter that lost its headers only counts. */
function judge(generated: readonly GeneratedMessage[], letters: readonly RawLetter[]) {
  const untrue = letters.flatMap(({ reason, number }) => {
    const message = number === undefined ? undefined : generated[Number(number)]
    const isTrue = reason !== undefined && (message === undefined || isTrueFor(message, reason))
    return isTrue ? [] : [`${number}: ${reason}, not ${message?.reason}`]
  })
  const wanted = countBy(generated.map(({ reason }) => reason))
  const found = countBy(letters.map(({ reason }) => reason))
  const missing = [...wanted].flatMap(([reason, count]) =>
    reason !== undefined && (found.get(reason) ?? 0) < count
      ? [`${reason}: ${found.get(reason) ?? 0} of ${count}`]
      : [],
  )
  const unwanted = [...found.keys()].filter((reason) => reason !== FAILED_BEFORE && !wanted.has(reason)).map(String)
  return { letters: letters.length, missing, untrue: [...untrue, ...unwanted] }
}

const FAILED_BEFORE = 'failed-before'

/** Allows a message that claims to be a dead letter, and was killed before it was acknowledged, to be told that it failed before. */
function isTrueFor({ reason: wanted, headers }: GeneratedMessage, reason: string): boolean {
  return reason === wanted || (reason === FAILED_BEFORE && wanted !== undefined && REASON_HEADER in headers)
}

function countBy(list: readonly (string | undefined)[]): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>()
  for (const each of list) counts.set(each, (counts.get(each) ?? 0) + 1)
  return counts
}
