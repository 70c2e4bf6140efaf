import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BodyLimits, holdBody } from '../src/guard/answer/held-body.ts'
import { deferred } from './deferred.ts'

const limits: BodyLimits = { maxResponseBytes: 10, stream: false, whole: false }
const events = [['Content-Type', 'text/event-stream; charset=utf-8']] as const
const never = new AbortController().signal
const bytes = (...values: number[]) => Uint8Array.from(values)

/** A source that notes how far it was read. */
function sourceOf(pieces: readonly Uint8Array[], failure?: Error) {
  const state = { read: 0, isOver: false }
  async function* all() {
    for (const piece of pieces) {
      state.read++
      yield piece
    }
    state.isOver = true
    if (failure) throw failure
  }
  return { source: all(), state }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<number[]> {
  const all: number[] = []
  for await (const piece of pieces) all.push(...piece)
  return all
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await new Promise((resolve) => setImmediate(resolve))
  return (
    (await Promise.race([
      promise.then(
        () => 0,
        () => 0,
      ),
      pending,
    ])) !== pending
  )
}

const arbitraryPieces = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 8 })

describe('C-15 a body', () => {
  it('is whole up to its limit, and passes beyond it, with all its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryPieces, fc.boolean(), async (pieces, whole) => {
        const all = pieces.flatMap((piece) => [...piece])
        const { bytes: held, passing } = {
          bytes: undefined,
          ...(await holdBody(sourceOf(pieces).source, [], { ...limits, whole }, never)),
        }
        expect(passing !== undefined).toBe(!whole && all.length > limits.maxResponseBytes)
        passing?.end()
        expect(passing ? await collect(passing.pieces) : [...(held ?? [])]).toEqual(all)
      }),
    )
  })

  it('of a stream passes from its first piece on, and ends when it is let', async () => {
    const { source, state } = sourceOf([bytes(1), bytes(2)])
    const { passing } = await holdBody(source, events, limits, never)
    expect(state.read).toBeLessThanOrEqual(1)
    expect(await passing?.pieces.next()).toEqual({ done: false, value: bytes(1) })
    expect(await passing?.pieces.next()).toEqual({ done: false, value: bytes(2) })
    const end = passing?.pieces.next()
    await passing?.ended
    expect(await isSettled(Promise.resolve(end))).toBe(false)
    passing?.end()
    expect(await end).toEqual({ done: true, value: undefined })
  })

  it('of a declared length keeps its last piece back, by which clients see its end', async () => {
    const declared = [...events, ['Content-Length', '3']] as const
    const { passing } = await holdBody(sourceOf([bytes(1), bytes(2, 3)]).source, declared, limits, never)
    expect(await passing?.pieces.next()).toEqual({ done: false, value: bytes(1) })
    const last = passing?.pieces.next()
    await passing?.ended
    expect(await isSettled(Promise.resolve(last))).toBe(false)
    passing?.end()
    expect(await last).toEqual({ done: false, value: bytes(2, 3) })
  })

  it('that fails does so only when it is cut, as it was cut', async () => {
    const { passing } = await holdBody(sourceOf([bytes(1)], new Error('disk on fire')).source, events, limits, never)
    await passing?.pieces.next()
    const next = passing?.pieces.next()
    await expect(passing?.ended).rejects.toThrow('disk on fire')
    expect(await isSettled(Promise.resolve(next))).toBe(false)
    passing?.cut(new Error('cut'))
    await expect(next).rejects.toThrow('cut')
  })

  it('that fails never ends well, even if it was let', async () => {
    const { passing } = await holdBody(sourceOf([bytes(1)], new Error('disk on fire')).source, events, limits, never)
    passing?.end()
    await expect(collect(passing?.pieces ?? sourceOf([]).source)).rejects.toThrow('disk on fire')
  })

  it('that nobody reads any more is made to its end, whenever they left', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryPieces, fc.nat(9), async (pieces, read) => {
        const { source, state } = sourceOf(pieces)
        const { passing } = await holdBody(source, events, limits, never)
        for (let count = 0; count < Math.min(read, pieces.length); count++) await passing?.pieces.next()
        void passing?.pieces.return?.()
        await passing?.ended
        expect(state).toEqual({ read: pieces.length, isOver: true })
      }),
    )
  })

  it.each([
    ['never ends', () => new Promise((resolve) => setImmediate(resolve))],
    ['never ends, and never waits', () => undefined],
  ])('that nobody reads and that %s is given up when its time is over', async (_, pause) => {
    const over = new AbortController()
    const started = deferred()
    let ended = false
    async function* forever() {
      try {
        for (;;) {
          yield bytes(1)
          started.resolve()
          await pause()
        }
      } finally {
        ended = true
      }
    }
    const { passing } = await holdBody(forever(), events, limits, over.signal)
    void passing?.pieces.return?.()
    await started.promise
    setImmediate(() => over.abort())
    await expect(passing?.ended).rejects.toThrow('in time')
    expect(ended).toBe(true)
  })
})
