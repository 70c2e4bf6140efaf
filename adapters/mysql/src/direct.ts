/**
 * The callback API below a promise pool of mysql2. The promise API captures a stack for each statement, through all async
 * functions that wait for it, and makes an emitter for each connection that it lends.
 */
import type { MysqlConnection, MysqlPool, MysqlPoolConnection } from './driver.ts'

type Callback<T> = (error: unknown, value: T) => void

interface CoreConnection {
  readonly config: { rowsAsArray?: unknown; nestTables?: unknown; namedPlaceholders?: unknown; typeCast?: unknown }
  query(options: object, callback: Callback<unknown>): void
  query(text: string, values: null, callback: Callback<unknown>): void
  release(): void
  destroy(): void
}

interface CorePool {
  getConnection(callback: Callback<CoreConnection>): void
}

/** The pool below `pool`, or `pool` itself where it is not the promise pool that mysql2 makes, or somebody has wrapped it. */
export function directPool(pool: MysqlPool): MysqlPool {
  const { pool: core } = pool as { readonly pool?: CorePool }
  const { constructor: made, getConnection } = Object(Object.getPrototypeOf(pool))
  const isOwn = made?.name === 'PromisePool' && pool.getConnection === getConnection
  if (!isOwn || typeof core?.getConnection !== 'function') return pool
  return {
    getConnection: () =>
      new Promise((resolve, reject) => {
        core.getConnection((error, connection) => {
          if (error) reject(error)
          else resolve(new DirectConnection(connection))
        })
      }),
  }
}

class DirectConnection implements MysqlPoolConnection {
  readonly #core: CoreConnection

  constructor(core: CoreConnection) {
    this.#core = core
  }

  query(options: Parameters<MysqlConnection['query']>[0]): Promise<[unknown]> {
    const core = this.#core
    return new Promise((resolve, reject) => {
      const callback: Callback<unknown> = (error, reply) => {
        if (error) reject(error)
        else resolve([reply])
      }
      // mysql2 copies options member by member, and the copy has a hidden class of its own
      if (isPlain(core)) core.query(options.sql, null, callback)
      else core.query(options, callback)
    })
  }

  release(): void {
    this.#core.release()
  }

  destroy(): void {
    this.#core.destroy()
  }
}

/** Tells whether replies have the form that `options` would give them anyway. */
function isPlain({ config: { rowsAsArray, nestTables, namedPlaceholders, typeCast } }: CoreConnection): boolean {
  return !rowsAsArray && !nestTables && !namedPlaceholders && typeCast === true
}
