/** One process at a time, at each of the points where it can stop; docs/reliability.md has the list. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { openDownstream } from '../src/downstream.ts'
import type { Answer, Mode, Stage } from '../src/messages.ts'
import { modesOf } from '../src/modes.ts'
import { type OwnWorker, ownWorker, standStill } from '../src/worker-calls.ts'
import { openBackendOf, targets } from './targets.ts'

const HOUR_MS = 3_600_000
const LONG_MS = 60_000
const SHORT_MS = 150
/** A process whose clock is wrong. */
const inAnHour = `const now = Date.now; Date.now = () => now() + ${HOUR_MS}; const D = Date; globalThis.Date = class extends D { constructor(...a) { a.length ? super(...a) : super(D.now()) } }`

for (const target of targets) {
  describe.skipIf(target.missing)(`a process that stops, on ${target.backend}`, { timeout: 30_000 }, () => {
    // the downstream is made here: where several processes make it at once, SQLite refuses some of them
    const opened = openBackendOf(target, (place) => openDownstream(place).close())

    async function start(leaseMs: number, args: readonly string[] = []): Promise<OwnWorker> {
      const worker = await ownWorker({ place: opened.place(), leaseMs }, args)
      onTestFinished(worker.kill)
      return worker
    }

    /** As a client: sends it again until it is answered. */
    async function persist(process: OwnWorker, mode: Mode, key: string): Promise<Answer> {
      for (;;) {
        const answer = await process.call(mode, key).answer
        if (answer.kind !== 'again') return answer
      }
    }

    const done = async (key: string): Promise<number> => {
      const downstream = openDownstream(opened.place())
      const all = [...(await opened.backend().effects()), ...downstream.charges()]
      downstream.close()
      return all.filter((effect) => effect.key === key).length
    }

    const modes = modesOf[target.backend].filter((mode) => mode !== 'park')

    /** Kills a process whose calls, one in each mode, have come to `stage`, and has another send them again. */
    async function killAt(stage: Stage): Promise<void> {
      const [dying, next] = await Promise.all([start(LONG_MS), start(LONG_MS)])
      const calls = modes.map((mode) => ({ mode, key: `${stage}, ${mode}` }))
      await Promise.all(calls.map(({ mode, key }) => standStill(dying, mode, key, stage)))
      await dying.kill()
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
      const frozen = await standStill(zombie, 'derived', 'zombie', 'after the effect')
      zombie.signal('SIGSTOP')
      const won = await persist(winner, 'derived', 'zombie')
      expect(won).toMatchObject({ kind: 'answer', attempt: expect.toSatisfy((attempt) => attempt > 1) })
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
      await standStill(holder, 'external', 'clock', 'after the effect')
      expect(await ahead.call('external', 'clock').answer).toMatchObject({
        kind: 'again',
        code: 'IDEMPOTENCY_IN_PROGRESS',
      })
      await holder.kill()
      // and what it holds itself is as long as that of anybody else
      await standStill(ahead, 'external', 'other', 'after the effect')
      const next = await start(LONG_MS)
      expect(await next.call('external', 'other').answer).toMatchObject({
        kind: 'again',
        code: 'IDEMPOTENCY_IN_PROGRESS',
      })
    })
  })
}
