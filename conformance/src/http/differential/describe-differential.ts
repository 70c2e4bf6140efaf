import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Application } from './application.ts'
import { type ApplicationProcess, startApplication } from './application-process.ts'
import { runCase } from './run-case.ts'

const TIMEOUT_MS = 120_000

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

      for (const ending of application.endings) {
        for (const errorHandler of application.errorHandlers) {
          test(`${ending.name} (errors: ${errorHandler})`, { timeout: TIMEOUT_MS, retry: 0 }, async () => {
            await runCase(await running.process(), { application, ending, errorHandler })
          })
        }
      }
    })
  }
}
