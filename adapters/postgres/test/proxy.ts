/** A server in front of the real one that counts round trips, and loses requests or answers when it is told to. */
import { connect, createServer, type Socket } from 'node:net'

/**
 * `lose request`: the server never sees it. `lose reply`: the server does it, and nobody hears. `hold`: the client is cut
 * off, and the server sees it after `release`. `delay`: the same, but the client may go on waiting.
 */
export type Fate = 'pass' | 'lose request' | 'lose reply' | 'hold' | 'delay'

export async function openProxy(target: string, fateOf: (request: string) => Fate = () => 'pass') {
  const { hostname: host, port } = new URL(target)
  const sockets = new Set<Socket>()
  const held: (() => void)[] = []
  const proxy = { url: '', roundTrips: 0, release, close }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true })
    let asking = false
    let deaf = false
    const cut = () => client.resetAndDestroy()
    client.on('data', (request) => {
      if (!asking) proxy.roundTrips++
      asking = true
      const fate = fateOf(request.toString('latin1'))
      if (fate === 'lose request') return void [cut(), upstream.destroy()]
      if (fate === 'pass') return void upstream.write(request)
      if (fate === 'delay') return void held.push(() => upstream.write(request))
      deaf = true
      if (fate === 'lose reply') return void upstream.write(request)
      held.push(() => upstream.write(request))
      cut()
    })
    upstream.on('data', (reply) => {
      asking = false
      if (!deaf) return void client.write(reply)
      cut()
      upstream.end()
    })
    client.on('close', () => {
      if (!deaf && held.length === 0) upstream.end()
    })
    upstream.on('close', cut)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
  })

  function release(): void {
    for (const send of held.splice(0)) send()
  }

  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: ownPort } = server.address() as { port: number }
  proxy.url = Object.assign(new URL(target), { host: `127.0.0.1:${ownPort}` }).href
  return proxy
}
