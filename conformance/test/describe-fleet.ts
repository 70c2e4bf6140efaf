/** Runs a binding in two processes that share one Redis, and storms them with duplicates. */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IdempotencyStore } from '@retryproof/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../scripts/services.mjs'
import { type BindingClient, type BindingServer, bindingChecks, clientOf } from '../src/http.ts'

const DUPLICATES = 200
const TIMEOUT_MS = 60_000

/** The function that the module of an application exports as `serve`. */
export type ServeApp = (store: IdempotencyStore<unknown>) => Promise<BindingServer>

/** @param app a module that exports `serve`, and needs no test runner */
export async function describeFleet(name: string, app: URL): Promise<void> {
  const { title, url, missing } = await service('redis')

  describe.skipIf(missing)(`${name}, in two processes on ${title}`, () => {
    let processes: ChildProcess[] = []
    let ports: number[] = []

    beforeAll(async () => {
      const prefix = `fleet-${randomBytes(6).toString('hex')}:`
      const env = { ...process.env, FLEET_APP: app.href, FLEET_REDIS: url, FLEET_PREFIX: prefix }
      const program = new URL('fleet-process.ts', import.meta.url)
      processes = [1, 2].map(() => fork(program, { env, execArgv: ['--import', 'tsx'] }))
      ports = await Promise.all(processes.map(portOf))
    }, TIMEOUT_MS)

    afterAll(async () => {
      await Promise.all(processes.map(stop))
    })

    for (const check of bindingChecks.filter(({ needs = [] }) => needs.includes('memory'))) {
      test(`${check.id}: ${check.title}, in a process of its own`, { timeout: TIMEOUT_MS }, () =>
        check.run(clientOf({ port: ports[0] ?? 0 })),
      )
    }

    /** A client of each process, who send the same key and are counted as one. */
    function fleet(path: string) {
      const clients = ports.map((port) => clientOf({ port }))
      const key = clients[0]?.key ?? ''
      const sent = { key, headers: { 'X-Case': key }, json: { amount: 1 } }
      const each = <T>(act: (client: BindingClient) => T) => clients.map(act)
      return {
        /** Each on a socket of its own. */
        storm: () => each((client) => Array.from({ length: DUPLICATES / 2 }, () => client.send(path, sent))).flat(),
        runs: async () => (await Promise.all(each((client) => client.runs(key)))).reduce((sum, runs) => sum + runs),
        openGate: () =>
          Promise.all(
            each((client) => client.send('/control/open', { method: 'GET', key: null, headers: { 'X-Case': key } })),
          ),
      }
    }

    /** After it is done, all are answered as the first was. */
    async function expectReplays({ storm, runs }: ReturnType<typeof fleet>, first: Buffer) {
      const retries = await Promise.all(storm())
      expect(retries.map(({ status, header }) => [status, header('idempotency-replayed')])).toEqual(
        Array(DUPLICATES).fill([201, 'true']),
      )
      expect(retries.every(({ body }) => body.equals(first))).toBe(true)
      expect(await runs()).toBe(1)
    }

    test(`of ${DUPLICATES} duplicates at once on ${DUPLICATES} sockets one runs; all are answered 201 or 409, and later all 201`, {
      timeout: TIMEOUT_MS,
    }, async () => {
      const duplicates = fleet('/json')
      const answers = await Promise.all(duplicates.storm())
      const done = answers.filter(({ status }) => status === 201)
      expect(answers.filter(({ status }) => status !== 201 && status !== 409)).toEqual([])
      expect(done.filter(({ header }) => header('idempotency-replayed') === undefined)).toHaveLength(1)
      await expectReplays(duplicates, done[0]?.body ?? Buffer.alloc(0))
    })

    test(`while one is held up, the other ${DUPLICATES - 1} are answered 409, and later all 201`, {
      timeout: TIMEOUT_MS,
    }, async () => {
      const duplicates = fleet('/gated')
      const answers = duplicates.storm()
      let refused = 0
      const allRefused = new Promise<void>((resolve) => {
        for (const answer of answers) void answer.then(() => ++refused === DUPLICATES - 1 && resolve())
      })
      await allRefused
      await duplicates.openGate()
      const settled = await Promise.all(answers)
      const done = settled.filter(({ status }) => status === 201)
      expect([done.length, settled.filter(({ status }) => status === 409).length]).toEqual([1, DUPLICATES - 1])
      await expectReplays(duplicates, done[0]?.body ?? Buffer.alloc(0))
    })
  })
}

async function portOf(child: ChildProcess): Promise<number> {
  const ended = once(child, 'exit').then(() =>
    Promise.reject(new Error('A process of the fleet ended before it served.')),
  )
  const [port] = (await Promise.race([once(child, 'message'), ended])) as [number]
  // it ends when it is stopped
  ended.catch(() => undefined)
  return port
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
