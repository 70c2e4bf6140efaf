import { connect, createServer, type Socket } from 'node:net'

/** The fate of a piece of a request: it passes, the server never sees it, or the server sees it and its answer is lost. */
export type Fate = 'pass' | 'cut request' | 'cut reply'

/** A server in front of the real one that cuts connections. */
export interface CuttingProxy {
  readonly address: Address
  /** The number of connections that were made through it. */
  readonly connections: number
  /** The number of connections that it has cut. */
  readonly cuts: number
  close(): Promise<void>
}

/** Opens a proxy before `target`; each piece of data that a client sends has the next fate. */
export async function openProxy(target: Address, fates: Iterator<Fate>): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let connections = 0
  let cuts = 0

  const server = createServer({ noDelay: true }, (client) => {
    connections++
    const upstream = connect({ ...target, noDelay: true })
    let loseReply = false
    const end = () => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    const cut = () => {
      cuts++
      end()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on('data', (data) => {
      const fate = fates.next().value ?? 'pass'
      if (fate === 'cut request') return cut()
      if (fate === 'cut reply') loseReply = true
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (loseReply) cut()
      else client.write(data)
    })
  })

  const host = '127.0.0.1'
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, () => resolve((server.address() as { port: number }).port))
  })
  return {
    address: { host, port },
    get connections() {
      return connections
    },
    get cuts() {
      return cuts
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface Address {
  readonly host: string
  readonly port: number
}
