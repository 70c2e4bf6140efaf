/** Consumers are killed at work, and their broker is killed and started again: is a message handled twice, or lost? */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openBroker } from './brokers.ts'
import { openEffects } from './effects.ts'
import type { Order, Place } from './place.ts'

export interface DrillOptions {
  readonly messages: number
  /** The number of messages besides that can never be handled. */
  readonly poisonous: number
  readonly consumers: number
  readonly kills: number
  /** Kills the broker and starts it again; called once, half-way. */
  readonly restartBroker?: () => Promise<unknown>
  /** The drill has failed when it takes longer. */
  readonly timeoutMs: number
  readonly say?: (line: string) => void
}

export interface DrillReport {
  /** The number of times that messages were published, in all. */
  readonly published: number
  /** Messages with an effect. */
  readonly done: number
  readonly duplicates: number
  /** Messages without an effect that should have one. */
  readonly lost: readonly string[]
  /** Messages that could not be handled, among the dead letters. */
  readonly deadLettered: number
  /** Others that are there too. */
  readonly wronglyDeadLettered: readonly string[]
  readonly kills: number
  /** Consumers that did not stop when they were told to, or stopped without. */
  readonly failures: number
  readonly seconds: number
}

const POLL_MS = 100
const worker = fileURLToPath(new URL('worker.ts', import.meta.url))

/** Each message is published one to five times, in one order or another. */
export async function drill(place: Place, options: DrillOptions): Promise<DrillReport> {
  const { messages, poisonous, kills, restartBroker, timeoutMs, say = () => {} } = options
  const broker = await openBroker(place.broker)
  const effects = openEffects(place)
  const startedAt = performance.now()
  await Promise.all([effects.prepare(), broker.prepare(place)])
  const orders = ordersOf(messages, poisonous)
  const published = shuffled(orders.flatMap((order) => Array.from({ length: randomInt(1, 5) }, () => order)))
  await broker.publish(place, published)
  say(`${place.name}: published ${published.length} messages in ${seconds(startedAt)} s`)
  const crew = createCrew(place)
  try {
    await Promise.all(Array.from({ length: options.consumers }, crew.hire))
    let killed = 0
    let restarting: Promise<unknown> | undefined
    for (let idle = 0; idle < 3; ) {
      if (performance.now() - startedAt > timeoutMs) {
        const left = await broker.left(place).catch(String)
        throw new Error(`Not done in ${timeoutMs} ms: ${JSON.stringify({ ...(await effects.count()), killed, left })}`)
      }
      await delay(POLL_MS)
      const { done } = await effects.count()
      if (restartBroker && !restarting && done > messages / 2) {
        restarting = restartBroker().then(() => say(`${place.name}: the broker was killed, and is there again`))
      }
      if (killed < kills && done >= (messages * (killed + 1)) / (kills + 2)) {
        await crew.killOne()
        killed++
      }
      const isDone = done >= messages && killed === kills && (!restartBroker || restarting !== undefined)
      idle = isDone && (await broker.left(place).catch(() => 1)) === 0 ? idle + 1 : 0
    }
    await restarting
    const failures = await crew.dismiss()
    return {
      published: published.length,
      ...(await effects.count()),
      ...judge(orders, await effects.ids(), await broker.deadLetters(place)),
      kills: killed,
      failures,
      seconds: seconds(startedAt),
    }
  } finally {
    await crew.abandon()
    await Promise.all([broker.close(), effects.close()])
  }
}

function judge(orders: readonly Order[], done: ReadonlySet<string>, deadLetters: readonly string[]) {
  const poison = new Set(orders.filter(({ isPoison }) => isPoison).map(({ id }) => id))
  return {
    lost: orders.filter(({ id, isPoison }) => !isPoison && !done.has(id)).map(({ id }) => id),
    deadLettered: new Set(deadLetters.filter((id) => poison.has(id))).size,
    wronglyDeadLettered: deadLetters.filter((id) => !poison.has(id)),
  }
}

export function createCrew(place: Place) {
  const working = new Set<ChildProcess>()
  const ready = new Map<ChildProcess, Promise<unknown>>()
  let failures = 0

  async function hire(): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', worker, JSON.stringify(place)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    })
    working.add(child)
    child.once('exit', () => {
      if (!working.delete(child)) return
      failures++
      void hire()
    })
    const isReady = new Promise((resolve) => {
      createInterface(child.stdout).once('line', resolve)
      child.once('exit', resolve)
    })
    ready.set(child, isReady)
    await isReady
  }

  const end = (child: ChildProcess, signal: NodeJS.Signals) =>
    new Promise<number | null>((resolve) => {
      working.delete(child)
      child.once('exit', resolve)
      child.kill(signal)
    })

  return {
    hire,
    /** Another one is hired in its place, and is not waited for. */
    async killOne(): Promise<void> {
      const [child] = shuffled([...working])
      if (!child) return
      await end(child, 'SIGKILL')
      void hire()
    },
    /** The number that did not stop as they should. */
    async dismiss(): Promise<number> {
      // one that has only just begun does not know the signal yet
      await Promise.all([...working].map((child) => ready.get(child)))
      const codes = await Promise.all([...working].map((child) => end(child, 'SIGTERM')))
      return failures + codes.filter((code) => code !== 0).length
    },
    abandon: () => Promise.all([...working].map((child) => end(child, 'SIGKILL'))),
  }
}

function ordersOf(messages: number, poisonous: number): readonly Order[] {
  return Array.from({ length: messages + poisonous }, (_, i) => ({ id: `order-${i}`, isPoison: i >= messages }))
}

export const seconds = (since: number) => Math.round((performance.now() - since) / 1000)
const randomInt = (from: number, to: number) => from + Math.floor(Math.random() * (to - from + 1))

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => [Math.random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}
