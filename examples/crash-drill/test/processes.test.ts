/** One process at a time, at each of the points where it can stop; docs/reliability.md has the list. */
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Backend, openBackend } from '../src/backends.ts'
import { openDownstream } from '../src/downstream.ts'
import type { Answer, Mode, Request, Stage } from '../src/messages.ts'
import { modesOf } from '../src/modes.ts'
import { onReply, send, startWorker } from '../src/worker-process.ts'
import { type OpenedPlace, openPlace, targets } from './targets.ts'

const HOUR_MS = 3_600_000
const LONG_MS = 60_000
const SHORT_MS = 150
/** A process whose clock is wrong. */
const inAnHour = `const now = Date.now; Date.now = () => now() + ${HOUR_MS}; const D = Date; globalThis.Date = class extends D { constructor(...a) { a.length ? super(...a) : super(D.now()) } }`

for (const target of targets) {
  describe.skipIf(target.missing)(`a process that stops, on ${target.backend}`, { timeout: 30_000 }, () => {
    let opened: OpenedPlace
    let backend: Backend
    beforeAll(async () => {
      opened = await openPlace(target)
      backend = await openBackend(opened.place)
      await backend.prepare()
      // it is made here: where several make it at once, SQLite refuses some of them
      openDownstream(opened.place).close()
    }, 60_000)
    afterAll(async () => {
      await backend.close()
      await opened.close()
    })

    async function start(leaseMs: number, args: readonly string[] = []) {
      const child = await startWorker({ place: opened.place, leaseMs }, args)
      let lastId = 0
      const lingering = new Map<number, () => void>()
      const answers = new Map<number, (answer: Answer) => void>()
      const ready = new Promise<void>((resolve) => {
        onReply(child, (reply) => {
          if (reply.kind === 'ready') resolve()
          else if (reply.kind === 'lingers') lingering.get(reply.id)?.()
          else if (reply.kind !== 'refused') answers.get(reply.id)?.(reply)
        })
      })
      const gone = once(child, 'exit')
      const end = async () => {
        child.kill('SIGKILL')
        await gone
      }
      onTestFinished(end)
      const died = gone.then(() => Promise.reject(new Error('A worker ended before it was ready.')))
      await Promise.race([ready, died])
      return {
        end,
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        call(mode: Mode, key: string, linger?: Stage) {
          const request: Request = { id: ++lastId, mode, key, linger }
          const lingers = new Promise<void>((resolve) => lingering.set(request.id, resolve))
          const answer = new Promise<Answer>((resolve) => answers.set(request.id, resolve))
          send(child, request)
          return { lingers, answer, resume: () => send(child, { resume: request.id }) }
        },
      }
    }

    type Process = Awaited<ReturnType<typeof start>>

    /** As a client: sends it again until it is answered. */
    async function persist(process: Process, mode: Mode, key: string): Promise<Answer> {
      for (;;) {
        const answer = await process.call(mode, key).answer
        if (answer.kind !== 'again') return answer
      }
    }

    const done = async (key: string): Promise<number> => {
      const downstream = openDownstream(opened.place)
      const all = [...(await backend.effects()), ...downstream.charges()]
      downstream.close()
      return all.filter((effect) => effect.key === key).length
    }

    const modes = modesOf[target.backend].filter((mode) => mode !== 'park')

    /** Kills a process whose calls, one in each mode, have come to `stage`, and has another send them again. */
    async function killAt(stage: Stage): Promise<void> {
      const [dying, next] = await Promise.all([start(LONG_MS), start(LONG_MS)])
      const calls = modes.map((mode) => ({ mode, key: `${stage}, ${mode}` }))
      await Promise.all(calls.map(({ mode, key }) => dying.call(mode, key, stage).lingers))
      await dying.end()
      for (const { mode, key } of calls) {
        expect(await next.call(mode, key).answer, mode).toMatchObject({ kind: 'answer', attempt: 1 })
        expect(await done(key), mode).toBe(1)
      }
    }

    test('C-01 killed before it began: nothing happened, and the next call is the first', () =>
      killAt('before the call'))

    test('C-05 killed between its record and its answer: the next call replays it', () => killAt('before the answer'))

    test('C-06 frozen past its lease (SIGSTOP): its write is refused when it wakes, and it gives the winner’s result', async () => {
      const [zombie, winner] = await Promise.all([start(SHORT_MS), start(SHORT_MS)])
      const frozen = zombie.call('derived', 'zombie', 'after the effect')
      await frozen.lingers
      zombie.signal('SIGSTOP')
      const won = await persist(winner, 'derived', 'zombie')
      expect(won).toMatchObject({ kind: 'answer', attempt: 2 })
      frozen.resume()
      zombie.signal('SIGCONT')
      expect(await frozen.answer).toMatchObject({ kind: 'answer', value: won.kind === 'answer' && won.value })
      expect(await done('zombie')).toBe(1)
    })

    // SQLite goes by the clock of its machine, which all of its processes share
    if (target.backend === 'sqlite') return
    test('C-07 a clock that is an hour ahead takes nothing over', async () => {
      const [holder, ahead] = await Promise.all([
        start(LONG_MS),
        start(LONG_MS, ['--import', `data:text/javascript,${encodeURIComponent(inAnHour)}`]),
      ])
      const held = holder.call('external', 'clock', 'after the effect')
      await held.lingers
      expect(await ahead.call('external', 'clock').answer).toMatchObject({ kind: 'again', code: 'IN_PROGRESS' })
      await holder.end()
      // and what it holds itself is as long as that of anybody else
      await ahead.call('external', 'other', 'after the effect').lingers
      const next = await start(LONG_MS)
      expect(await next.call('external', 'other').answer).toMatchObject({ kind: 'again', code: 'IN_PROGRESS' })
    })
  })
}
