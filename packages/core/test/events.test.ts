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
  const stop = emitter.on('keyReused', () => told.push('first'))
  emitter.on('keyReused', () => told.push('second'))
  emitter.on('parked', () => told.push('another type'))

  emitter.emit('keyReused', event)
  stop()
  stop()
  emitter.emit('keyReused', event)

  expect(told).toEqual(['first', 'second', 'second'])
})

test('a listener that throws harms nobody: the others are told, and the process is warned', () => {
  const emitter = new Emitter()
  const told = vi.fn()
  emitter.on('keyReused', () => {
    throw new Error('broken listener')
  })
  emitter.on('keyReused', told)

  expect(() => emitter.emit('keyReused', event)).not.toThrow()

  expect(told).toHaveBeenCalledExactlyOnceWith(event)
  expect(warned).toHaveBeenCalledExactlyOnceWith(
    `A listener of 'keyReused' threw`,
    expect.objectContaining({ type: 'RetryproofWarning', detail: expect.stringContaining('broken listener') }),
  )
})

test('a listener that rejects is no unhandled rejection', async () => {
  const emitter = new Emitter()
  // biome-ignore lint/nursery/noMisusedPromises: it is what is tested
  emitter.on('keyReused', () => Promise.reject(new Error('broken listener')))
  emitter.emit('keyReused', event)
  await vi.waitFor(() => expect(warned).toHaveBeenCalledOnce())
})

test('where there is no process to warn, a broken listener harms nobody either', () => {
  vi.stubGlobal('process', undefined)
  const emitter = new Emitter()
  emitter.on('keyReused', () => {
    throw new Error('broken listener')
  })
  expect(() => emitter.emit('keyReused', event)).not.toThrow()
})
