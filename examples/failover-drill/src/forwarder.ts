/** An address that leads to one server, and from a moment on to another, as a name or a virtual address does at a failover. */
import { connect, createServer, type Socket } from 'node:net'

export interface Forwarder {
  readonly url: string
  /** Leads new connections to another server; those that are open stay where they are. */
  leadTo(url: string): void
  close(): Promise<void>
}

export async function openForwarder(url: string): Promise<Forwarder> {
  let target = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href,
    leadTo(next) {
      target = new URL(next)
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
