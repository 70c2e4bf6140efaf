/** Round trips and bytes on the wire of one call, counted by a proxy in front of the server. */
import { connect, createServer } from 'node:net'
import { answer, callOf, payload, scenarios } from './measure.ts'
import type { Driver } from './subject.ts'

/** The first calls look at the server and its table, and prepare statements. */
const FIRST = 50
const CALLS = 200

interface Wire {
  readonly url: string
  trips: number
  sent: number
  received: number
  close(): void
}

async function openWire(target: string): Promise<Wire> {
  const { hostname: host, port } = new URL(target)
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true })
    let isAsking = false
    client.on('data', (request) => {
      if (!isAsking) wire.trips++
      isAsking = true
      wire.sent += request.length
      upstream.write(request)
    })
    upstream.on('data', (reply) => {
      isAsking = false
      wire.received += reply.length
      client.write(reply)
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => {}).on('close', () => other.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: own } = server.address() as { port: number }
  const url = Object.assign(new URL(target), { host: `127.0.0.1:${own}` })
  if (url.protocol === 'mongodb:') {
    // a client that knows the replica set would pass by
    url.searchParams.delete('replicaSet')
    url.searchParams.set('directConnection', 'true')
  }
  const wire = { url: url.href, trips: 0, sent: 0, received: 0, close: () => server.close() }
  return wire
}

/** Returns the rows of one driver: its floor, and Retryproof. */
export async function tripRows(target: string, open: (url: string) => Driver): Promise<string> {
  // a server that has just started may not take writes yet, and clients that come by the proxy do not wait for it
  const first = await open(target).subjects[0]?.open()
  await first?.run('first', payload, async () => answer)
  await first?.close?.()
  const wire = await openWire(target)
  const driver = open(wire.url)
  const rows: string[] = []
  for (const kind of ['floor', 'ours'] as const) {
    const subject = driver.subjects.find((each) => each.kind === kind)
    if (!subject) continue
    const opened = await subject.open()
    const cells: string[] = []
    for (const scenario of scenarios) {
      const call = await callOf(opened, scenario, `trips-${kind}`)
      for (let left = FIRST; left > 0; left--) await call()
      const before = { ...wire }
      for (let left = CALLS; left > 0; left--) await call()
      const of = (name: 'trips' | 'sent' | 'received') => (wire[name] - before[name]) / CALLS
      cells.push(`${of('trips').toFixed(1)}, ${of('sent').toFixed(0)} + ${of('received').toFixed(0)}`)
    }
    rows.push(
      `| ${driver.name} | ${kind === 'floor' ? `floor: ${subject.name}` : subject.name} | ${cells.join(' | ')} |`,
    )
  }
  wire.close()
  return rows.join('\n')
}
