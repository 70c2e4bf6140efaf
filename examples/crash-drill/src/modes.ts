/** Lists the modes that each backend can show. */
import { startService } from '../../../scripts/services.mjs'
import type { Mode } from './messages.ts'
import type { BackendName } from './place.ts'

const outside: readonly Mode[] = ['derived', 'external', 'park']
const all: readonly Mode[] = ['fenced', 'single', 'steps', ...outside]

export const modesOf: Record<BackendName, readonly Mode[]> = {
  postgres: all,
  mariadb: all,
  mysql: all,
  sqlite: all,
  mongodb: all,
  redis: outside,
}

/**
 * The modes that are recovered, by backend. SQLite without `fenced`: its transactions stand still only with the whole process, and a process
 * would have to be killed for each.
 */
export const recoveredModesOf: Record<BackendName, readonly Mode[]> = {
  postgres: ['fenced', 'steps', 'derived', 'external'],
  mariadb: ['fenced', 'steps', 'derived', 'external'],
  mysql: ['fenced', 'steps', 'derived', 'external'],
  mongodb: ['fenced', 'steps', 'derived', 'external'],
  sqlite: ['steps', 'derived', 'external'],
  redis: ['derived', 'external'],
}

/**
 * A server of one's own. MongoDB leaves a transaction open whose client was killed, by default for 60 s, in which its key
 * waits: here it is shorter, so that a drill comes to an end.
 */
export async function startBackend(
  name: BackendName,
): Promise<{ readonly url: string; readonly title: string; stop(): Promise<void> }> {
  if (name === 'sqlite') return { url: '', title: 'SQLite', stop: async () => {} }
  const args = name === 'mongodb' ? ['--setParameter', 'transactionLifetimeLimitSeconds=2'] : []
  return startService(name, { args })
}
