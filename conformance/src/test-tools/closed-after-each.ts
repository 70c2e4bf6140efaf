import type { Server } from 'node:http'
import { afterEach } from 'vitest'

/** Returns a set. The servers that a test adds to it are closed after the test, with their connections. */
export function closedAfterEach(): Set<Server> {
  const servers = new Set<Server>()
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    servers.clear()
  })
  return servers
}
