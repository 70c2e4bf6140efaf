/**
 * The callback API below a promise pool of mysql2. The promise API captures a stack for each statement, through all async
 * functions that wait for it, and makes an emitter for each connection that it lends.
 */
import type { MysqlConnection, MysqlPool, MysqlPoolConnection } from './pool.ts'
import { type Callback, type CoreConnection, preparedOn } from './prepared.ts'
import { FixedSql, type Sql } from './sql.ts'

interface CorePoolConnection extends CoreConnection {
  readonly config: { rowsAsArray?: unknown; nestTables?: unknown; namedPlaceholders?: unknown; typeCast?: unknown }
  query(options: object, callback: Callback): void
  query(text: string, values: null, callback: Callback): void
  release(): void
  destroy(): void
}

interface CorePool {
  getConnection(callback: Callback<CorePoolConnection>): void
}

/**
 * The pool below `pool`, or `pool` itself where it is not the promise pool that mysql2 makes, or somebody has wrapped it.
 * `prepare`: statements of connections that stay are prepared.
 */
export function directPool(pool: MysqlPool, prepare: boolean): MysqlPool {
  const { pool: core } = pool as { readonly pool?: CorePool }
  const { constructor: made, getConnection } = Object(Object.getPrototypeOf(pool))
  const isOwn = made?.name === 'PromisePool' && pool.getConnection === getConnection
  if (!isOwn || typeof core?.getConnection !== 'function') return pool
  return {
    getConnection: () =>
      new Promise((resolve, reject) => {
        core.getConnection((error, connection) => {
          if (error) reject(error)
          else resolve(new DirectConnection(connection, prepare))
        })
      }),
  }
}

class DirectConnection implements MysqlPoolConnection {
  readonly #core: CorePoolConnection
  readonly #prepare: boolean

  constructor(core: CorePoolConnection, prepare: boolean) {
    this.#core = core
    this.#prepare = prepare
  }

  /** Tells whether replies have the form that `pinned` would give them anyway. */
  get isPlain(): boolean {
    const { rowsAsArray, nestTables, namedPlaceholders, typeCast } = this.#core.config
    return !rowsAsArray && !nestTables && !namedPlaceholders && typeCast === true
  }

  query(options: Parameters<MysqlConnection['query']>[0]): Promise<[unknown]> {
    return replyOf((callback) => this.#core.query(options, callback))
  }

  /** Sends a statement without options: mysql2 copies them member by member, and the copy has a hidden class of its own. */
  send(statement: Sql): Promise<[unknown]> {
    const core = this.#core
    return replyOf((callback) => {
      if (this.#prepare && statement instanceof FixedSql) preparedOn(core).send(statement, callback)
      else core.query(statement.text, null, callback)
    })
  }

  release(): void {
    this.#core.release()
  }

  destroy(): void {
    this.#core.destroy()
  }
}

function replyOf(ask: (callback: Callback) => void): Promise<[unknown]> {
  return new Promise((resolve, reject) => {
    ask((error, reply) => {
      if (error) reject(error)
      else resolve([reply])
    })
  })
}

/** Tells whether statements can be sent through `connection` without options. */
export const isDirect = (connection: object): connection is DirectConnection =>
  connection instanceof DirectConnection && connection.isPlain
