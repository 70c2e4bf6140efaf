/** What can be shown on which backend. */
import { startService } from '../../../scripts/services.mjs'
import type { Mode } from './messages.ts'
import type { BackendName } from './place.ts'

const outside: readonly Mode[] = ['derived', 'external', 'park']
const all: readonly Mode[] = ['fenced', 'single', ...outside]

export const modesOf: Record<BackendName, readonly Mode[]> = {
  postgres: all,
  mariadb: all,
  mysql: all,
  sqlite: all,
  mongodb: all,
  redis: outside,
}

/**
 * A server of one's own. MongoDB leaves a transaction open whose client was killed, by default for 60 s, in which its key
 * waits: here it is shorter, so that a drill comes to an end.
 */
export async function startBackend(name: BackendName): Promise<{ readonly url: string; stop(): Promise<void> }> {
  if (name === 'sqlite') return { url: '', stop: async () => {} }
  const args = name === 'mongodb' ? ['--setParameter', 'transactionLifetimeLimitSeconds=2'] : []
  return startService(name, { args })
}
