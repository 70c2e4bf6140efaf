/** A server of this process that closes its idle connections. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

const CHANNEL = 'http.server.request.start'

/**
 * Closes the idle connections of the server at a port, as its `close` does, in each turn of the event loop until a promise
 * has settled.
 *
 * @param ask sends a request to that server, by which Node tells of it
 */
export async function closeIdleUntil(
  port: number,
  ask: () => Promise<unknown>,
  settled: Promise<unknown>,
): Promise<void> {
  const server = await serverAt(port, ask)
  let isOver = false
  const over = () => {
    isOver = true
  }
  settled.then(over, over)
  while (!isOver) {
    server.closeIdleConnections()
    await turn()
  }
}

async function serverAt(port: number, ask: () => Promise<unknown>): Promise<Server> {
  let found: Server | undefined
  const note = (message: unknown) => {
    const { server } = message as { readonly server: Server }
    if ((server.address() as AddressInfo | null)?.port === port) found = server
  }
  subscribe(CHANNEL, note)
  await ask()
  unsubscribe(CHANNEL, note)
  if (!found) throw new Error(`no server of this process listens at port ${port}`)
  return found
}
