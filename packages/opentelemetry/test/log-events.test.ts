import { Writable } from 'node:stream'
import pino from 'pino'
import { expect, test } from 'vitest'
import { createLogger, format, transports } from 'winston'
import { logEvents, messageFirst } from '../src/index.ts'
import { openWorld, playEverything, SECRET_KEY } from './scenario.ts'

interface Line {
  readonly level: number
  readonly event: string
  readonly msg: string
  readonly err?: { readonly code?: string }
}

const LEVELS = {
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
  recoveryFailed: 'error',
  storeUnavailable: 'error',
}

test('winston gets every event as a message with fields, and the error in full', async () => {
  const written: string[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      written.push(String(chunk))
      done()
    },
  })
  const logger = createLogger({ level: 'debug', format: format.json(), transports: new transports.Stream({ stream }) })
  const world = openWorld()
  const stop = logEvents(world.idempotency, messageFirst(logger))
  await playEverything(world)
  stop()

  const lines = written.map((line) => JSON.parse(line))
  expect(Object.fromEntries(lines.map(({ event, level }) => [event, level]))).toEqual(LEVELS)
  expect(lines.find(({ event }) => event === 'replayed')).toMatchObject({
    message: 'Answered from the record',
    namespace: 'payments',
    attempt: 1,
  })
  expect(lines.find(({ event }) => event === 'storeUnavailable').err).toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    message: expect.stringContaining('down'),
    stack: expect.stringContaining('scenario'),
  })
  expect(written.join('')).not.toContain(SECRET_KEY)
})

test('pino gets every event with its fields, and no key of a client', async () => {
  const written: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) })
  const world = openWorld()
  const stop = logEvents(world.idempotency, logger)
  await playEverything(world)

  const lines = written.map((line) => JSON.parse(line) as Line)
  const levels = Object.fromEntries(lines.map(({ event, level }) => [event, pino.levels.labels[level]]))
  expect(levels).toEqual(LEVELS)
  expect(lines.find(({ event }) => event === 'storeUnavailable')?.err?.code).toBe('IDEMPOTENCY_STORE_UNAVAILABLE')
  expect(written.join('')).not.toContain(SECRET_KEY)

  stop()
  world.setDown(false)
  const before = written.length
  await world.idempotency.run(world.call('after'), () => 1)
  expect(written).toHaveLength(before)
})
