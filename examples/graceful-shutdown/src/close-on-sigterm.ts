/** The end of an HTTP server of Node: no new connections, and each one ends with its answer. */
import type { Server } from 'node:http'
import { drain, endPool } from './payments.ts'

/** Drains, and ends the pool last: everything that answers needs it. */
export function closeOnSigterm(server: Server): void {
  process.once('SIGTERM', async () => {
    server.keepAliveTimeout = 1
    const closed = new Promise((resolve) => server.close(resolve))
    await drain()
    await closed
    await endPool()
  })
}
