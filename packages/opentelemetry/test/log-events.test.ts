import pino from 'pino'
import { expect, test } from 'vitest'
import { logEvents } from '../src/index.ts'
import { openWorld, playEverything, SECRET_KEY } from './scenario.ts'

interface Line {
  readonly level: number
  readonly event: string
  readonly msg: string
  readonly err?: { readonly code?: string }
}

test('pino gets every event with its fields, and no key of a client', async () => {
  const written: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) })
  const world = openWorld()
  const stop = logEvents(world.idempotency, logger)
  await playEverything(world)

  const lines = written.map((line) => JSON.parse(line) as Line)
  const levels = Object.fromEntries(lines.map(({ event, level }) => [event, pino.levels.labels[level]]))
  expect(levels).toEqual({
    started: 'debug',
    replayed: 'debug',
    conflict: 'debug',
    renewed: 'debug',
    completed: 'debug',
    released: 'info',
    failed: 'info',
    keyReused: 'warn',
    takeover: 'warn',
    leaseLost: 'warn',
    parked: 'warn',
    unrecorded: 'error',
    storeUnavailable: 'error',
  })
  expect(lines.find(({ event }) => event === 'storeUnavailable')?.err?.code).toBe('IDEMPOTENCY_STORE_UNAVAILABLE')
  expect(written.join('')).not.toContain(SECRET_KEY)

  stop()
  world.setDown(false)
  const before = written.length
  await world.idempotency.run(world.call('after'), () => 1)
  expect(written).toHaveLength(before)
})
