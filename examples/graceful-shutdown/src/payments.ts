/** The parts that the three applications share. */
import { createIdempotency } from '@retryproof/core'
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import { DRAIN_TIMEOUT_MS } from './drain-timeout.ts'

export const pool = new pg.Pool({ connectionString: process.env.POSTGRES_URL })
await migrate({ pool })
export const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'payments' })

/** Refuses new work, and waits for running attempts. */
export async function drain(): Promise<void> {
  console.log('draining')
  await idempotency.drain({ timeout: DRAIN_TIMEOUT_MS })
}

/** Charges a card at the provider, which may take its time. */
export async function charge(): Promise<{ id: string }> {
  const answer = await fetch(process.env.PROVIDER_URL ?? '', { method: 'POST' })
  return (await answer.json()) as { id: string }
}

/** The last line of an orderly end. */
export async function endPool(): Promise<void> {
  await pool.end()
  console.log('pool ended')
}
