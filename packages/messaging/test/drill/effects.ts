/** A table that lets everything be written twice: what is there more than once was done more than once. */
import { createIdempotency, type Idempotency } from '@retryproof/core'
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import type { Place } from './place.ts'

export interface Effects {
  readonly idempotency: Idempotency<pg.PoolClient>
  prepare(): Promise<unknown>
  /** On a transaction, or (without one) at once. */
  write(id: string, tx: pg.PoolClient | undefined): Promise<unknown>
  count(): Promise<{ readonly done: number; readonly duplicates: number }>
  ids(): Promise<ReadonlySet<string>>
  close(): Promise<unknown>
}

export function openEffects({ databaseUrl, name }: Place): Effects {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 15 })
  pool.on('error', () => {})
  const [table, effects] = [`records_${name}`, `effects_${name}`]
  return {
    idempotency: createIdempotency({ store: postgresStore({ pool, table }), namespace: name }),
    async prepare() {
      await migrate({ pool, table })
      await pool.query(`CREATE TABLE ${effects} (id text NOT NULL)`)
    },
    write: (id, tx) => (tx ?? pool).query(`INSERT INTO ${effects} VALUES ($1)`, [id]),
    async count() {
      const sql = `SELECT count(DISTINCT id)::int AS done, (count(*) - count(DISTINCT id))::int AS duplicates FROM ${effects}`
      return (await pool.query<{ done: number; duplicates: number }>(sql)).rows[0] ?? { done: 0, duplicates: 0 }
    },
    ids: async () => new Set((await pool.query<{ id: string }>(`SELECT id FROM ${effects}`)).rows.map(({ id }) => id)),
    close: () => pool.end(),
  }
}
