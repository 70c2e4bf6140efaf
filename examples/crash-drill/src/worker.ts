/** A process that charges whatever it is told to, until it is killed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { IdempotencyError } from '@retryproof/core'
import { openBackend } from './backends.ts'
import { openCharging } from './charging.ts'
import { openDownstream } from './downstream.ts'
import type { Job, Reply, Request, Resumption, Stage } from './messages.ts'

const job: Job = JSON.parse(process.env.JOB ?? '')
const backend = await openBackend(job.place)
const downstream = openDownstream(job.place)
const { charge } = openCharging(backend, downstream, job.leaseMs)

const LINGER_MS = 10_000
/** A client sends these again; anything else is news. */
const passing = [
  'IDEMPOTENCY_IN_PROGRESS',
  'IDEMPOTENCY_LEASE_LOST',
  'IDEMPOTENCY_STORE_UNAVAILABLE',
  'IDEMPOTENCY_TRANSACTION_CONFLICT',
]

const lingering = new Map<number, () => void>()

process.on('message', (message: Request | Resumption) => {
  if ('resume' in message) lingering.get(message.resume)?.()
  else void serve(message)
})
process.on('disconnect', () => process.exit())
tell({ kind: 'ready' })

async function serve({ id, mode, key, linger }: Request): Promise<void> {
  const moment = () => Math.random() * 6
  async function pass(stage: Stage): Promise<void> {
    if (linger !== stage) return
    const resumed = new Promise<void>((resolve) => lingering.set(id, resolve))
    tell({ kind: 'lingers', id })
    await resumed
  }
  try {
    await pass('before the call')
    const { value, attempt } = await charge(mode, key, {
      async beforeEffect() {
        await pass('before the effect')
        await sleep(moment())
      },
      async afterEffect(made) {
        if (!made) tell({ kind: 'refused', id })
        await pass('after the effect')
        await sleep(moment())
      },
      afterEffectAtOnce() {
        const isToLinger = linger === 'after the effect'
        if (isToLinger) tell({ kind: 'lingers', id })
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, isToLinger ? LINGER_MS : 1)
      },
    })
    await pass('before the answer')
    tell({ kind: 'answer', id, value, attempt })
  } catch (error) {
    tell(replyTo(id, error))
  }
}

function replyTo(id: number, error: unknown): Reply {
  const code = error instanceof IdempotencyError ? error.code : ''
  if (code === 'IDEMPOTENCY_OUTCOME_UNKNOWN') return { kind: 'unknown', id }
  if (passing.includes(code)) return { kind: 'again', id, code }
  return {
    kind: 'problem',
    id,
    message: error instanceof Error ? `${error.stack} ${String(error.cause ?? '')}` : String(error),
  }
}

function tell(reply: Reply): void {
  process.send?.(reply)
}
