/** Promises of handlers behind a guard on Express 4, which drops them: a rejection is told to the process, as without a guard. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type express from 'express'
import express4 from 'express4'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deferred, testApp } from './app.ts'

const program = fileURLToPath(new URL('dropped-promise-program.ts', import.meta.url))
const failure = new Error('declined')

/** Takes the listeners of the test runner away, and gives what the process is told of until the test ends. */
function listenAlone(): unknown[] {
  const told: unknown[] = []
  const others = process.listeners('unhandledRejection')
  const listener = (error: unknown) => void told.push(error)
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', listener)
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection')
    for (const each of others) process.on('unhandledRejection', each)
  })
  return told
}

describe('a handler behind a guard on Express 4 whose promise rejects', () => {
  function rejecting(first: express.RequestHandler) {
    const { app, guard, post, idempotency } = testApp(express4)
    let runs = 0
    app.post('/', guard(), (req, res, next) => {
      runs++
      return runs === 1 ? first(req, res, next) : void res.status(201).json({ runs })
    })
    const released = deferred()
    idempotency.on('released', () => released.resolve())
    return { post: () => post('/'), released: released.promise }
  }

  it('is told to the listeners of the process, and its key comes free as after a throw', async () => {
    const told = listenAlone()
    const first = deferred<express.Response>()
    const { post, released } = rejecting(async (_req, res) => {
      first.resolve(res)
      throw failure
    })
    const answer = post()
    await released
    expect(told).toEqual([failure])
    expect(await (await post()).json()).toEqual({ runs: 2 })
    // Express 4 answers nothing: whoever else has the response may
    ;(await first.promise).status(202).send('later')
    const late = await answer
    expect([late.status, await late.text()]).toEqual([202, 'later'])
  })

  it('leaves the part that it has written to its client', async () => {
    listenAlone()
    const first = deferred<express.Response>()
    const { post, released } = rejecting(async (_req, res) => {
      first.resolve(res)
      res.status(202).set('X-Part', 'one').write('one ')
      throw failure
    })
    const answer = post()
    await released
    ;(await first.promise).end('two')
    const late = await answer
    expect([late.status, late.headers.get('x-part'), await late.text()]).toEqual([202, 'one', 'one two'])
  })

  it('is told to nobody where somebody handles it', async () => {
    const told = listenAlone()
    // as `express-async-errors` does: it gives the promise on that it handles
    const { post } = rejecting((_req, res) => {
      const returned = Promise.reject(failure)
      returned.catch(() => void res.status(402).send('declined'))
      return returned as never
    })
    expect([(await post()).status, (await post()).status, told]).toEqual([402, 402, []])
  })

  it.each(['bare', 'guarded'])('ends a process that listens to nothing: %s', async (form) => {
    const run = promisify(execFile)(process.execPath, ['--import=tsx', program, form])
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('declined') })
  })
})
