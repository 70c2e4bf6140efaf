/** A server in front of the real one that counts commands, and loses some of them or their replies when it is told to. */
import { connect, createServer, type Socket } from 'node:net'

/** `lose command`: the server never sees it. `lose reply`: the server does it, and nobody hears. */
export type Fate = 'pass' | 'lose command' | 'lose reply'

export interface Proxy {
  readonly url: string
  /** The number of commands that came through, without those that the driver sends for itself. */
  commands: number
  close(): Promise<void>
}

const OF_THE_DRIVER = /hello|ismaster|endSessions/i

export async function openProxy(target: string, fateOf: (command: string) => Fate = () => 'pass'): Promise<Proxy> {
  const { hostname: host, port } = new URL(target)
  const sockets = new Set<Socket>()

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true })
    let deaf = false
    const cut = () => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    client.on('data', (data) => {
      const command = data.toString('latin1')
      if (!OF_THE_DRIVER.test(command)) proxy.commands++
      const fate = fateOf(command)
      if (fate === 'lose command') return cut()
      deaf ||= fate === 'lose reply'
      upstream.write(data)
    })
    upstream.on('data', (reply) => {
      if (deaf) cut()
      else client.write(reply)
    })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
  })

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: ownPort } = server.address() as { port: number }
  const proxy: Proxy = {
    url: `mongodb://127.0.0.1:${ownPort}/?directConnection=true`,
    commands: 0,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
