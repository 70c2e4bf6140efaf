/** A place of its own for each test, on the servers of the run. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { service, unavailable } from '../../../scripts/services.mjs'
import { type Backend, openBackend } from '../src/backends.ts'
import { modesOf, startBackend } from '../src/modes.ts'
import type { BackendName, Place } from '../src/place.ts'

export interface Server {
  readonly url: string
  stop(): Promise<void>
}

export interface Target {
  readonly backend: BackendName
  readonly missing: string | undefined
  /** The server of the run; MongoDB has one of its own, on which an abandoned transaction is soon over. */
  open(): Promise<Server>
}

export interface OpenedPlace {
  readonly place: Place
  close(): Promise<void>
}

export const targets: readonly Target[] = await Promise.all(
  (Object.keys(modesOf) as BackendName[])
    // MySQL has its turn in the drill
    .filter((backend) => backend !== 'mysql')
    .map(async (backend): Promise<Target> => {
      if (backend === 'postgres' || backend === 'mariadb' || backend === 'redis') {
        const { url, missing } = await service(backend)
        return { backend, missing, open: async () => ({ url, stop: async () => {} }) }
      }
      const missing = backend === 'mongodb' ? await unavailable('mongodb') : undefined
      return { backend, missing, open: () => startBackend(backend) }
    }),
)

export async function openPlace({ backend, open }: Target): Promise<OpenedPlace> {
  const { url, stop } = await open()
  const { place, close } = placeAt(backend, url)
  return {
    place,
    async close() {
      await close()
      await stop()
    },
  }
}

/** Opens a backend on a place of its own, for the tests of a `describe`. */
export function openBackendOf(target: Target, prepare: (place: Place) => void = () => {}) {
  let opened: OpenedPlace
  let backend: Backend
  beforeAll(async () => {
    opened = await openPlace(target)
    backend = await openBackend(opened.place)
    await backend.prepare()
    prepare(opened.place)
  }, 60_000)
  afterAll(async () => {
    await backend.close()
    await opened.close()
  })
  return { place: () => opened.place, backend: () => backend }
}

/** A place on a server that is there. */
export function placeAt(backend: BackendName, url: string): OpenedPlace {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-crash-'))
  return {
    place: { backend, url, name: randomBytes(6).toString('hex'), folder },
    close: async () => rmSync(folder, { recursive: true }),
  }
}
