import { afterAll, beforeAll, describe, test } from 'vitest'
import { forAll } from '../../store/tools/property.ts'
import { settings } from '../../store/tools/settings.ts'
import type { Application } from './application.ts'
import { type ApplicationProcess, startApplication } from './application-process.ts'
import { endingOf, programs } from './endings/programs.ts'
import { BareProcessEnded, runCase } from './run-case.ts'

const TIMEOUT_MS = 120_000
/** For each handler that is made at random. */
const PATIENCE_MS = 1_000

/** Keeps one process, and starts it again where a case has ended it. */
export function keepRunning(start: () => Promise<ApplicationProcess>) {
  let running: ApplicationProcess | undefined
  return {
    async process(): Promise<ApplicationProcess> {
      if (!running || running.ended() !== undefined) running = await start()
      return running
    },
    stop: async () => running?.stop(),
  }
}

/**
 * Declares one Vitest test for each ending under each error handler.
 *
 * @param module exports `applications`, and needs no test runner
 */
export function describeDifferential(program: URL, module: URL, applications: readonly Application[]): void {
  for (const application of applications) {
    const running = keepRunning(() => startApplication(program, module, application.name))
    describe(`${application.name} answers behind a guard as without`, () => {
      beforeAll(() => running.process(), TIMEOUT_MS)
      afterAll(() => running.stop())

      for (const [index, ending] of application.endings.entries()) {
        if (ending.program) {
          testPrograms(application, index, running.process)
          continue
        }
        for (const errorHandler of application.errorHandlers) {
          test(`${ending.name} (errors: ${errorHandler})`, { timeout: TIMEOUT_MS, retry: 0 }, async ({ skip }) => {
            try {
              await runCase(await running.process(), { application, index, ending, errorHandler })
            } catch (error) {
              if (!(error instanceof BareProcessEnded)) throw error
              skip(`without a guard ${error.message}`)
            }
          })
        }
      }
    })
  }
}

function testPrograms(application: Application, index: number, process: () => Promise<ApplicationProcess>): void {
  const ending = application.endings[index]
  const { programs: runs, seed } = settings
  for (const errorHandler of application.errorHandlers) {
    const title = `${runs} handlers made at random (errors: ${errorHandler}, FC_SEED=${seed})`
    test(title, { timeout: TIMEOUT_MS + runs * PATIENCE_MS, retry: 0 }, async () => {
      if (!ending?.program) throw new Error('there is no program')
      await forAll(programs(ending.program), runs, async (program) => {
        try {
          await runCase(await process(), { application, index, ending: endingOf(ending, program), errorHandler })
        } catch (error) {
          if (error instanceof Error) error.message += `\nthe handler: ${JSON.stringify(program)}`
          throw error
        }
      })
    })
  }
}
