/**
 * Freezes the server (SIGSTOP) at each point of a call, thaws it (SIGCONT), and sends the call again until it is answered.
 *
 *     node --import tsx adapters/redis/drills/freeze.ts
 */
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { createIdempotency, isIdempotencyError, unscoped } from '@retryproof/core'
import { Redis } from 'ioredis'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'

export interface FreezeReport {
  readonly freezes: number
  /** Calls that were refused, and sent again. */
  readonly refused: number
  /** Keys whose step counts as taken, and was not. */
  readonly stepsSkipped: number
  /**
   * Keys that were parked although no handler had run, before a lease could expire. Afterwards nobody can tell such a begin
   * from an attempt that ran.
   */
  readonly parkedUnrun: number
  /** Keys whose answer says otherwise than their step. */
  readonly wrong: number
  /** The longest time from a thaw until the key was served, beyond its lease. */
  readonly longestPastLeaseMs: number
}

export interface FreezeOptions {
  /** Numbers of the messages between client and server, from 1, at which it freezes. @default each of a call */
  readonly points?: readonly number[]
  readonly freezesMs?: readonly number[]
}

const LEASE_MS = 1_500
const STORE_TIMEOUT_MS = 400
/** Shorter than `storeTimeout`, longer than it, and longer than a lease. */
const FREEZES_MS = [150, 800, 2_000]
const RETRY_MS = 50

export async function freezeDrill({ points, freezesMs = FREEZES_MS }: FreezeOptions = {}): Promise<FreezeReport> {
  const service = await startService('redis')
  const server = service.nodes[0] as OwnNode
  const report = { freezes: 0, refused: 0, stepsSkipped: 0, parkedUnrun: 0, wrong: 0, longestPastLeaseMs: 0 }
  try {
    for (const onTakeover of ['rerun', 'park'] as const) {
      for (const freezeMs of freezesMs) {
        for (const point of points ?? upwards()) {
          if (!(await freezeAt(point, freezeMs, onTakeover))) break
        }
      }
    }
    return report
  } finally {
    server.signal('SIGCONT')
    await service.stop()
  }

  /** Tells whether the call had that point. */
  async function freezeAt(point: number, freezeMs: number, onTakeover: 'rerun' | 'park'): Promise<boolean> {
    let seen = 0
    let thawed: Promise<void> | undefined
    let thawedAt = 0
    let counting = false
    const gate = await openGate(server, () => {
      if (!counting || ++seen !== point) return thawed
      server.signal('SIGSTOP')
      thawed = delay(freezeMs).then(() => {
        server.signal('SIGCONT')
        thawedAt = performance.now()
      })
      return thawed
    })
    const client = new Redis({ port: gate.port, autoResendUnfulfilledCommands: false, retryStrategy: () => 20 })
    client.on('error', () => {})
    const store = redisStore({ client, prefix: `freeze-${onTakeover}-${freezeMs}-${point}:` })
    const options = { namespace: 'drill', lease: LEASE_MS, storeTimeout: STORE_TIMEOUT_MS, onTakeover } as const
    const idempotency = createIdempotency({ store, ...options })
    let charges = 0
    let runs = 0
    const call = () =>
      idempotency.run({ operation: 'charge', scope: unscoped, key: 'k' }, async (attempt) => {
        runs++
        return attempt.step('charge', () => ++charges)
      })
    await store.check()
    counting = true
    const startedMs = performance.now()
    for (;;) {
      try {
        const { value } = await call()
        if (charges === 0) report.stepsSkipped++
        if (value < 1 || value > charges) report.wrong++
        break
      } catch (error) {
        if (isIdempotencyError(error, 'IDEMPOTENCY_OUTCOME_UNKNOWN')) {
          if (runs === 0 && performance.now() - startedMs < LEASE_MS) report.parkedUnrun++
          break
        }
        if (
          !isIdempotencyError(
            error,
            'IDEMPOTENCY_STORE_UNAVAILABLE',
            'IDEMPOTENCY_IN_PROGRESS',
            'IDEMPOTENCY_LEASE_LOST',
          )
        )
          throw error
        report.refused++
        await delay(RETRY_MS)
      }
    }
    const waitedMs = thawedAt > 0 ? performance.now() - thawedAt : 0
    report.longestPastLeaseMs = Math.max(report.longestPastLeaseMs, Math.round(waitedMs - LEASE_MS))
    await thawed
    await idempotency.drain({ timeout: 0 })
    client.disconnect()
    await gate.close()
    if (seen >= point) report.freezes++
    return seen >= point
  }
}

/** A way to the server on which each message waits for what `onMessage` returns. */
async function openGate(server: OwnNode, onMessage: () => Promise<void> | undefined) {
  const sockets = new Set<Socket>()
  const gate = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: server.host, port: server.port, noDelay: true })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      let before = Promise.resolve()
      from.on('data', (bytes) => {
        const turn = onMessage()
        before = before.then(() => turn).then(() => void to.write(bytes))
      })
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve))
  return {
    port: (gate.address() as { port: number }).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => gate.close(resolve))
    },
  }
}

function* upwards(): Generator<number> {
  for (let point = 1; ; point++) yield point
}

if (import.meta.url === pathToFileURL(String(process.argv[1])).href) {
  const report = await freezeDrill()
  process.stdout.write(`${JSON.stringify(report)}\n`)
  const { stepsSkipped, parkedUnrun, wrong, longestPastLeaseMs } = report
  if (stepsSkipped + parkedUnrun + wrong > 0 || longestPastLeaseMs > 1_000) process.exitCode = 1
}
