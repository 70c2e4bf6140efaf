/** A server behind a proxy that cuts connections when a COMMIT is on the way: before the server saw it, or after. */
import { openProxy as beforeMysql } from '../../../adapters/mysql/test/proxy.ts'
import { openProxy as beforePostgres } from '../../../adapters/postgres/test/proxy.ts'

export type Fate = 'pass' | 'lose request' | 'lose reply'

export interface Proxy {
  readonly url: string
  close(): Promise<void>
}

/** BEGIN READ COMMITTED is none. */
const COMMIT = /COMMIT(?!TED)/

/** Opens the proxy, by the name of the server; `next` says what becomes of the next COMMIT. */
export const cutters: Readonly<Partial<Record<string, (url: string, next: () => Fate) => Promise<Proxy>>>> = {
  postgres: (url, next) => beforePostgres(url, (request) => (COMMIT.test(request) ? next() : 'pass')),
  async mariadb(url, next) {
    const proxy = await beforeMysql(url, (request) => (COMMIT.test(request) ? next() : 'pass'))
    return { url: proxy.url, close: async () => proxy[Symbol.asyncDispose]() }
  },
}
