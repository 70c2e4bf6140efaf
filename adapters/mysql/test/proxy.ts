/** A server in front of the real one that counts round trips, and does to a request what it is told to. */
import { connect, createServer, type Socket } from 'node:net'

/**
 * `lose request`: the client is cut off, and the server with it. `lose reply`: the client is cut off, and the server does it.
 * `hold`: the same, after `release`.
 */
export type Fate = 'pass' | 'lose request' | 'lose reply' | 'hold'

export interface Proxy extends AsyncDisposable {
  readonly url: string
  roundTrips: number
  /** Sends what was held. */
  release(): void
}

export async function openProxy(target: string, fateOf: (request: string) => Fate = () => 'pass'): Promise<Proxy> {
  const { hostname: host, port } = new URL(target)
  const sockets = new Set<Socket>()
  const held: (() => void)[] = []
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true })
    let isAsking = false
    let isCut = false
    const cut = () => {
      isCut = true
      client.resetAndDestroy()
    }
    client.on('data', (request) => {
      if (!isAsking) proxy.roundTrips++
      isAsking = true
      const fate = fateOf(request.toString('latin1'))
      const pass = () => upstream.write(request)
      if (fate === 'hold') held.push(pass)
      else if (fate === 'lose request') upstream.destroy()
      else pass()
      if (fate !== 'pass') cut()
    })
    upstream.on('data', (reply) => {
      isAsking = false
      if (isCut) upstream.end()
      else client.write(reply)
    })
    client.on('close', () => {
      // a session that was cut off goes on for the server, until it has answered
      if (!isCut) upstream.end()
    })
    upstream.on('close', () => client.destroy())
    for (const socket of [client, upstream]) track(socket)
  })

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const proxy: Proxy = {
    url: Object.assign(new URL(target), { host: `127.0.0.1:${address.port}` }).href,
    roundTrips: 0,
    release: () => {
      for (const send of held.splice(0)) send()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
