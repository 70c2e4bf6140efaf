import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { StoreUnavailableError } from '@retryproof/core'
import type { StoreHarness } from '../src/store/harness.ts'
import type { Address } from '../src/store/tools/proxy.ts'
import { newDatabase, type Transaction, transactionalStore } from './transactional-store.ts'

/** Commits what it is told to, and then says so; `lost` is what a client makes of an answer that does not come. */
interface Commits {
  lost(): void
}

const unknown: Commits = {
  lost() {
    throw new StoreUnavailableError('The answer to COMMIT was lost.', { applied: 'unknown' })
  },
}

/** A server whose clients send it their COMMITs, each on a connection of its own that can be cut. */
export async function committingServer() {
  const pending = new Map<string, () => void>()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    createInterface({ input: socket })
      .on('error', () => {})
      .on('line', (id) => {
        pending.get(id)?.()
        socket.write(`${id}\n`)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // a test that does not close it ends all the same
  server.unref()
  const here = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
  let commits = 0

  /** True once the server has answered, false where the connection has ended before. */
  function isAnswered(address: Address, commit: () => void): Promise<boolean> {
    const id = String(++commits)
    pending.set(id, commit)
    return new Promise<boolean>((resolve) => {
      const socket = connect(address, () => socket.write(`${id}\n`))
      socket.on('error', () => {}).on('close', () => resolve(false))
      socket.on('data', () => {
        resolve(true)
        socket.destroy()
      })
    }).finally(() => pending.delete(id))
  }

  return {
    harness({ lost }: Commits = unknown): StoreHarness<Transaction> {
      const database = newDatabase()
      const openAt = (address: Address, options: { now?: () => number }) =>
        transactionalStore(options, database, {
          async publish(records, written) {
            const commit = () => {
              for (const [key, record] of written) records.set(key, record)
            }
            if (!(await isAnswered(address, commit))) lost()
          },
        })
      return { open: (options) => openAt(here, options), server: { ...here, open: openAt } }
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
