import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Emitter } from '../src/engine/mechanisms/emitter.ts'

const event = { namespace: 'n', operation: 'o', key: 'k' }
const warned = vi.spyOn(process, 'emitWarning')

beforeEach(() => {
  warned.mockReset().mockImplementation(() => {})
})
afterEach(() => {
  vi.unstubAllGlobals()
})

test('each listener of a type is told, in order, until it stops listening', () => {
  const emitter = new Emitter()
  const told: string[] = []
  const stop = emitter.on('mismatch', () => told.push('first'))
  emitter.on('mismatch', () => told.push('second'))
  emitter.on('parked', () => told.push('another type'))

  emitter.emit('mismatch', event)
  stop()
  stop()
  emitter.emit('mismatch', event)

  expect(told).toEqual(['first', 'second', 'second'])
})

test('a listener that throws harms nobody: the others are told, and the process is warned', () => {
  const emitter = new Emitter()
  const told = vi.fn()
  emitter.on('mismatch', () => {
    throw new Error('broken listener')
  })
  emitter.on('mismatch', told)

  expect(() => emitter.emit('mismatch', event)).not.toThrow()

  expect(told).toHaveBeenCalledExactlyOnceWith(event)
  expect(warned).toHaveBeenCalledExactlyOnceWith(
    `A listener of 'mismatch' threw`,
    expect.objectContaining({ type: 'RetryproofWarning', detail: expect.stringContaining('broken listener') }),
  )
})

test('a listener that rejects is no unhandled rejection', async () => {
  const emitter = new Emitter()
  // biome-ignore lint/nursery/noMisusedPromises: it is what is tested
  emitter.on('mismatch', () => Promise.reject(new Error('broken listener')))
  emitter.emit('mismatch', event)
  await vi.waitFor(() => expect(warned).toHaveBeenCalledOnce())
})

test('where there is no process to warn, a broken listener harms nobody either', () => {
  vi.stubGlobal('process', undefined)
  const emitter = new Emitter()
  emitter.on('mismatch', () => {
    throw new Error('broken listener')
  })
  expect(() => emitter.emit('mismatch', event)).not.toThrow()
})
