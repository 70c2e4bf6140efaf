import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApplication } from '../../../conformance/src/http/differential/application-process.ts'
import { keepRunning } from '../../../conformance/src/http/differential/describe-differential.ts'
import { runCase } from '../../../conformance/src/http/differential/run-case.ts'
import { applications, brokenBindings } from './differential/broken.ts'

const program = new URL('../../../conformance/test/application-program.ts', import.meta.url)
const module = new URL('differential/broken.ts', import.meta.url)
const TIMEOUT_MS = 120_000

describe('broken bindings, each rejected by the case named for it', () => {
  const running = keepRunning(() => startApplication(program, module, 'Broken bindings'))
  beforeAll(() => running.process(), TIMEOUT_MS)
  afterAll(() => running.stop())

  test('there are enough of them, and no two have the same name', () => {
    expect(new Set(brokenBindings.map(({ name }) => name)).size).toBe(brokenBindings.length)
    expect(brokenBindings.length).toBeGreaterThanOrEqual(40)
  })

  for (const [index, { name, rejectedBy }] of brokenBindings.entries()) {
    const [title, errorHandler] = rejectedBy
    test(`${title} (errors: ${errorHandler}): ${name}`, { timeout: TIMEOUT_MS }, async () => {
      const [application] = applications
      const ending = application?.endings[index]
      if (!application || !ending) throw new Error('there is no such ending')
      const process = await running.process()
      await expect(runCase(process, { application, index, ending, errorHandler })).rejects.toThrow()
    })
  }
})
