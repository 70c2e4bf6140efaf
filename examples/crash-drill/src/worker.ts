/** A process that charges whatever it is told to, until it is killed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { IdempotencyError } from '@retryproof/core'
import { openBackend } from './backends.ts'
import { openCharging } from './charging.ts'
import { openDownstream } from './downstream.ts'
import type { Job, Reply, Request } from './messages.ts'

const job: Job = JSON.parse(process.env.JOB ?? '')
const backend = await openBackend(job.place)
const downstream = openDownstream(job.place)
const { charge } = openCharging(backend, downstream, job.leaseMs)

const LINGER_MS = 10_000
/** A client sends these again; anything else is news. */
const passing = ['IN_PROGRESS', 'LEASE_LOST', 'STORE_UNAVAILABLE', 'TRANSACTION_CONFLICT']

process.on('message', (request: Request) => void serve(request))
process.on('disconnect', () => process.exit())
tell({ kind: 'ready' })

async function serve({ id, mode, key, linger }: Request): Promise<void> {
  const moment = () => Math.random() * 6
  try {
    const { value, attempt } = await charge(mode, key, {
      beforeEffect: () => sleep(moment()),
      async afterEffect(made) {
        tell({ kind: 'effect', id, made })
        await sleep(linger ? LINGER_MS : moment())
      },
      afterEffectAtOnce(made) {
        tell({ kind: 'effect', id, made })
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, linger ? LINGER_MS : 1)
      },
    })
    tell({ kind: 'answer', id, value, attempt })
  } catch (error) {
    tell(replyTo(id, error))
  }
}

function replyTo(id: number, error: unknown): Reply {
  const code = error instanceof IdempotencyError ? error.code : ''
  if (code === 'OUTCOME_UNKNOWN') return { kind: 'unknown', id }
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
