/** The stores of the demo: a file, a server that the environment names, or one of this machine, started on demand. */

import { which } from '../../../../scripts/services/obtain.mjs'
import type { Service, ServiceName } from '../../../../scripts/services.mjs'
import { startService } from '../../../../scripts/services.mjs'
import type { StoreChoice } from '../board/live.ts'
import type { StoreName } from '../naming.ts'

interface Server {
  readonly title: string
  /** The name that `startService` has for it. */
  readonly service: ServiceName
  readonly variable: string
  readonly binary: string
}

/** A store that is no file. */
export type ServerName = Exclude<StoreName, 'sqlite'>

const servers: Record<ServerName, Server> = {
  redis: { title: 'Redis', service: 'redis', variable: 'REDIS_URL', binary: 'redis-server' },
  postgres: { title: 'PostgreSQL', service: 'postgres', variable: 'POSTGRES_URL', binary: 'postgres' },
  mysql: { title: 'MySQL or MariaDB', service: 'mariadb', variable: 'MYSQL_URL', binary: 'mariadbd' },
  mongodb: { title: 'MongoDB', service: 'mongodb', variable: 'MONGODB_URL', binary: 'mongod' },
}

export interface StoreServers {
  readonly choices: readonly StoreChoice[]
  /** The address of a store. Its server is started when it is asked for the first time. */
  place(name: ServerName): Promise<string>
  /** Ends what was started. */
  stop(): Promise<void>
}

export function findStoreServers(): StoreServers {
  const started = new Map<ServerName, Promise<Service>>()
  const given = ({ variable }: Server) => process.env[variable]?.split(/\s+/)[0] || undefined

  const choices = Object.entries(servers).map(([name, server]) => ({
    name: name as ServerName,
    title: server.title,
    ...(!given(server) &&
      !which(server.binary) && { missing: `no ${server.binary} on the PATH, and ${server.variable} is not set` }),
  }))

  return {
    choices: [{ name: 'sqlite', title: 'SQLite' }, ...choices],

    async place(name) {
      const url = given(servers[name])
      if (url) return url
      const server = started.get(name) ?? startService(servers[name].service)
      started.set(name, server)
      // a start that failed may be tried again
      server.catch(() => started.delete(name))
      return (await server).url
    },

    async stop() {
      const running = await Promise.allSettled(started.values())
      await Promise.all(running.map((start) => (start.status === 'fulfilled' ? start.value.stop() : undefined)))
    },
  }
}
