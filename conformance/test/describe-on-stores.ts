/** Runs the suite of bindings on the memory store, on Redis and on PostgreSQL. */
import { randomBytes } from 'node:crypto'
import type { IdempotencyStore } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { migrate, postgresStore } from '@retryproof/postgres'
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import pg from 'pg'
import { describe } from 'vitest'
import { service } from '../../scripts/services.mjs'
import { type BindingHarness, type BindingServer, describeBinding } from '../src/http.ts'

type Store = IdempotencyStore<unknown>

export interface BindingOnStore {
  /** Serves the application on this store. */
  start(store: Store): Promise<BindingServer>
  readonly lacks?: BindingHarness['lacks']
  readonly authenticates?: boolean
}

interface Database {
  readonly title: string
  readonly missing: string | undefined
  readonly lacks: BindingHarness['lacks']
  open(): Promise<{ readonly store: Store; close(): Promise<void> }>
}

export async function describeOnStores(
  name: string,
  { start, lacks, authenticates = false }: BindingOnStore,
): Promise<void> {
  const memory: Database = {
    title: 'memory',
    missing: undefined,
    lacks: { transactions: 'the memory store has none' },
    open: async () => ({ store: memoryStore(), close: async () => {} }),
  }
  for (const { title, missing, lacks: ofStore, open } of [memory, await redis(), await postgres()]) {
    describe.skipIf(missing)(title, () => {
      describeBinding(name, {
        lacks: { ...ofStore, ...lacks },
        authenticates,
        async start() {
          const { store, close } = await open()
          const server = await start(store)
          return {
            port: server.port,
            async close() {
              await server.close()
              await close()
            },
          }
        },
      })
    })
  }
}

const memory = 'measured on the memory store'

async function redis(): Promise<Database> {
  const { title, url, missing } = await service('redis')
  return {
    title,
    missing,
    lacks: { transactions: 'Redis has none', memory },
    async open() {
      const client = new Redis(url, { autoResendUnfulfilledCommands: false })
      const store = redisStore({ client, prefix: `binding-${randomBytes(6).toString('hex')}:` })
      return { store, close: async () => client.disconnect() }
    },
  }
}

async function postgres(): Promise<Database> {
  const { title, url, missing } = await service('postgres')
  return {
    title,
    missing,
    lacks: { memory },
    async open() {
      const pool = new pg.Pool({ connectionString: url, max: 16 })
      const table = `binding_${randomBytes(6).toString('hex')}`
      await migrate({ pool, table })
      return {
        store: postgresStore({ pool, table }),
        async close() {
          await pool.query(`DROP TABLE ${table}`)
          await pool.end()
        },
      }
    },
  }
}
