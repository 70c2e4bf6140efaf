/** Tables of their own in the run's PostgreSQL. */
import { randomBytes } from 'node:crypto'
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import { afterAll } from 'vitest'
import { service } from '../../../scripts/services.mjs'

/** A store for the tests of a file. Its pool ends with them. */
export async function openPostgres() {
  const { url, missing } = await service('postgres')
  if (missing) return undefined
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const table = `records_${randomBytes(6).toString('hex')}`
  await migrate({ pool, table })
  afterAll(async () => {
    await pool.query(`DROP TABLE ${table}`)
    await pool.end()
  })
  return postgresStore({ pool, table })
}
