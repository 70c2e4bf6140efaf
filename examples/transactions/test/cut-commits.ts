/**
 * Failures between a store and its database: a server behind a proxy that cuts connections, before the server saw
 * a statement or after; and for SQLite, which has no connection to cut, a driver that fails at the same places.
 */
import Sqlite from 'better-sqlite3'
import { openProxy as beforeMongodb } from '../../../adapters/mongodb/test/proxy.ts'
import { openProxy as beforeMysql } from '../../../adapters/mysql/test/proxy.ts'
import { openProxy as beforePostgres } from '../../../adapters/postgres/test/proxy.ts'

/** `hold`: the connection is cut, and the statement arrives later. */
export type Fate = 'pass' | 'lose request' | 'lose reply' | 'hold'

/** Says what becomes of the next statement. */
export type Next = (isCommit: boolean) => Fate

/** Opens a store whose statements have these fates. */
export interface Way {
  readonly url?: string
  /** The same for a database inside of the process. */
  readonly next?: Next
  close(): Promise<void>
}

/** BEGIN READ COMMITTED is none, nor is what sets it. */
const COMMIT = /COMMIT(?!TED)/
/** The most that a held statement may be late, in milliseconds. */
const LATE_MS = 20

function releasing(fate: Fate, release: () => void): Fate {
  if (fate === 'hold') setTimeout(release, Math.random() * LATE_MS)
  return fate
}

async function viaMysql(url: string, next: Next): Promise<Way> {
  const proxy = await beforeMysql(url, (request) => releasing(next(COMMIT.test(request)), () => proxy.release()))
  return { url: proxy.url, close: async () => proxy[Symbol.asyncDispose]() }
}

/** To each server, by its name. */
const ways: Readonly<Record<string, (url: string, next: Next) => Promise<Way>>> = {
  async postgres(url, next) {
    const proxy = await beforePostgres(url, (request) => releasing(next(COMMIT.test(request)), () => proxy.release()))
    return proxy
  },
  mysql: viaMysql,
  mariadb: viaMysql,
  mongodb: (url, next) =>
    beforeMongodb(url, (command) => {
      // the driver looks at its server by itself
      if (/hello|ismaster|endSessions/i.test(command)) return 'pass'
      const fate = next(command.includes('commitTransaction'))
      return fate === 'lose request' || fate === 'hold' ? 'lose command' : fate
    }),
  sqlite: async (_, next) => ({ next, close: async () => {} }),
}

/**
 * Opens the way to the server of that name for as long as `storm` lasts. The clients have to be closed within it: one of
 * MongoDB says goodbye to its server, for which it looks 30 s when nobody is there any more.
 */
export async function onWay<T>(
  name: string,
  url: string,
  next: Next,
  storm: (way: Omit<Way, 'close'>) => Promise<T>,
): Promise<T> {
  const open = ways[name]
  if (!open) throw new Error(`There is no way on which the connections of ${name} could be cut.`)
  const way = await open(url, next)
  try {
    return await storm(way)
  } finally {
    await way.close()
  }
}

/** A connection whose writes and COMMITs may fail as on a disk that fails: before they were done, or after. */
export function onFailingDisk(database: Sqlite.Database, next: Next): Sqlite.Database {
  function suffer<T>(isCommit: boolean, act: () => T): T {
    const fate = next(isCommit)
    if (fate === 'pass') return act()
    if (fate === 'lose reply') act()
    throw new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR')
  }
  const replaced: Partial<Sqlite.Database> = {
    exec: (sql) => (sql === 'COMMIT' ? suffer(true, () => database.exec(sql)) : database.exec(sql)),
    prepare: ((sql: string) => {
      const statement = database.prepare(sql)
      const run = statement.run.bind(statement)
      return Object.assign(statement, { run: (...values: unknown[]) => suffer(false, () => run(...values)) })
    }) as Sqlite.Database['prepare'],
  }
  return new Proxy(database, {
    get(target, name) {
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
