/** The question and the signals of a process, on streams in place of a terminal. */
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { processIo } from '../src/process-io.ts'

/** Surroundings whose person types `keys` at the first question, and whose output is kept. */
function terminal(keys = '') {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => stdin })
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
  const exits: number[] = []
  const host = Object.assign(new EventEmitter(), {
    stdin,
    stdout: new PassThrough(),
    stderr,
    env: {},
    cwd: () => '/',
    exit: (code: number) => exits.push(code),
  })
  // the question listens once it is written
  stderr.once('data', () => setImmediate(() => stdin.write(keys)))
  return { host, exits, io: processIo(host as unknown as NodeJS.Process) }
}

test.each([
  ['y', 'y\r', true, false],
  ['n', 'n\r', false, false],
  ['Return', '\r', false, false],
  ['Ctrl-C', '\u0003', false, true],
])('%s at a question', async (_, keys, answer, isInterrupted) => {
  const { io } = terminal(keys)
  expect(await io.confirm('Forget it?')).toBe(answer)
  expect(io.interrupted.aborted).toBe(isInterrupted)
})

test.each(['SIGINT', 'SIGTERM'])('%s ends a question, and the second one the process', async (signal) => {
  const { io, host, exits } = terminal()
  const asked = io.confirm('Forget it?')
  host.emit(signal)
  expect([await asked, io.interrupted.aborted, exits]).toEqual([false, true, []])
  host.emit(signal)
  expect(exits).toEqual([exitCodes.interrupted])
})
