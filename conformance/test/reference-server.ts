import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'
import type { Command, StoredRecord } from '@retryproof/core/store'
import type { OpenOptions } from '../src/store/harness.ts'
import { type Reply, send } from '../src/store/model/command.ts'
import type { Address } from '../src/store/tools/proxy.ts'
import { referenceStore } from './reference-store.ts'

/** A reference store behind TCP: one JSON text for each request and each reply, so that connections can be cut. */
export async function referenceServer(): Promise<Address & { close(): void }> {
  const records = new Map<string, StoredRecord>()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    createInterface({ input: socket }).on('line', async (line) => {
      const { key, command, nowMs } = decode(line) as { key: string; command: Command; nowMs?: number }
      const store = referenceStore({ records, ...(nowMs !== undefined && { now: () => nowMs }) })
      socket.write(`${encode(await send(store, key, command))}\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: '127.0.0.1',
    port: (server.address() as { port: number }).port,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** A client of that server, with a connection for each call. */
export function remoteStore(address: Address, { now }: OpenOptions = {}): IdempotencyStore {
  const call = (key: string, command: Command) =>
    new Promise<Reply>((resolve, reject) => {
      let sent = false
      const fail = (cause?: unknown) =>
        reject(new StoreUnavailableError('The server does not answer.', { applied: sent ? 'unknown' : 'no', cause }))
      const socket = connect(address, () => {
        sent = true
        socket.write(`${encode({ key, command, nowMs: now?.() })}\n`)
      })
      socket.on('error', fail).on('close', () => fail())
      createInterface({ input: socket })
        .on('error', fail)
        .on('line', (line) => {
          resolve(decode(line) as Reply)
          socket.destroy()
        })
    })
  return {
    capabilities: { clock: 'store', durable: false, shared: 'network', transactional: false, maxValueBytes: 2 ** 30 },
    begin: (key, claim) => call(key, { op: 'begin', claim }) as never,
    transition: (key, token, change) => call(key, { op: 'transition', token, change }) as never,
    get: (key) => call(key, { op: 'get' }) as never,
  }
}

function encode(data: unknown): string {
  return JSON.stringify(data, (_, value) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
  )
}

function decode(text: string): unknown {
  return JSON.parse(text, (_, value) =>
    typeof value?.base64 === 'string' ? new Uint8Array(Buffer.from(value.base64, 'base64')) : value,
  )
}
