/** Every store on a real server, by the address that a person would give. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { type ServiceOptions, service, services } from '../../../scripts/services.mjs'

export interface StoreAddress {
  readonly kind: string
  readonly title: string
  readonly url: string
  /** A table that nobody else has. */
  readonly table: string
}

export const fresh = (): string => `t_${randomBytes(6).toString('hex')}`

/** Declares tests for each store; for one that cannot be had, a test that is skipped says so. */
export async function onEachStore(declare: (store: StoreAddress) => void, options: ServiceOptions = {}): Promise<void> {
  const servers = [
    { kind: 'postgres', server: await service('postgres', options) },
    ...(await services('mysql', options)).map((server) => ({ kind: 'mysql', server })),
    { kind: 'mongodb', server: await service('mongodb', options) },
    { kind: 'redis', server: await service('redis', options) },
  ]
  for (const { kind, server } of servers) {
    if (server.missing) test.skip(`${server.title}: ${server.missing}`)
    else
      declare({
        kind,
        title: server.title,
        url: withDatabase(kind, server.url),
        table: kind === 'redis' ? `${fresh()}:` : fresh(),
      })
  }
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-cli-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  declare({ kind: 'sqlite', title: 'SQLite', url: `sqlite:${join(folder, 'records.db')}`, table: fresh() })
}

/** Names a database where the address has none. */
export function withDatabase(kind: string, url: string): string {
  return kind === 'mongodb' ? Object.assign(new URL(url), { pathname: `/${fresh()}` }).href : url
}
