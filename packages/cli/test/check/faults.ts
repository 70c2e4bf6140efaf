/** Servers of their own, as a careful operator sets them up, and the faults that a test makes in them one by one. */
import { afterAll, describe, expect, test } from 'vitest'
import { type ServiceName, type ServiceOptions, startService, unavailable } from '../../../../scripts/services.mjs'
import { exitCodes } from '../../src/exit-codes.ts'
import type { CliIo } from '../../src/io.ts'
import { fresh } from '../stores.ts'
import { done, run } from '../terminal.ts'

interface Finding {
  readonly level: 'problem' | 'warning'
  readonly finding: string
  readonly advice: string
}

/** Runs `check`, and returns its findings. The exit code fits them, and each says what to do. */
export async function findingsOf(url: string, table: string, given: Partial<CliIo> = {}): Promise<readonly Finding[]> {
  const { exitCode, out, err } = await run(['check', '--json', '--store', url, '--table', table], given)
  if (!out) throw new Error(`check ended with ${exitCode}: ${err}`)
  const { findings } = JSON.parse(out) as { findings: readonly Finding[] }
  const problems = findings.filter(({ level }) => level === 'problem')
  expect(exitCode).toBe(problems.length > 0 ? exitCodes.findings : exitCodes.done)
  for (const { advice } of findings) expect(advice.length).toBeGreaterThan(10)
  return findings
}

export const sentences = async (...given: Parameters<typeof findingsOf>): Promise<string[]> =>
  (await findingsOf(...given)).map(({ level, finding, advice }) => `${level}: ${finding} ${advice}`)

export async function migrated(url: string): Promise<string> {
  const table = fresh()
  await done(['migrate', '--store', url, '--table', table])
  return table
}

export interface Fault {
  readonly name: string
  /** Makes the fault in a server with a new table. Resolves to another address where one is needed. */
  make(table: string): Promise<unknown>
  undo?(table: string): Promise<unknown>
  readonly expected: RegExp | readonly RegExp[]
}

/** Declares the tests of a server that is good, and of each fault in it. `check` finds the fault, and nothing else. */
export function testServer(url: string, faults: readonly Fault[]): void {
  test('a good one: nothing', async () => {
    expect(await sentences(url, await migrated(url))).toEqual([])
  })

  test.each(faults)('$name', async ({ make, undo, expected }) => {
    const table = await migrated(url)
    try {
      const made = await make(table)
      const address = typeof made === 'string' ? made : url
      expect(await sentences(address, table)).toEqual([expected].flat().map((each) => expect.stringMatching(each)))
    } finally {
      await undo?.(table)
    }
  })

  test.each([
    ['ahead of', 5 * 60_000],
    ['behind', -3 * 60_000],
  ])('a clock of the host that is %s that of the server', async (where, ms) => {
    const found = await sentences(url, await migrated(url), { now: () => Date.now() + ms })
    const seconds = Math.abs(ms) / 1000
    expect(found).toEqual([expect.stringMatching(new RegExp(`clock .* (${seconds}|${seconds - 1}) s ${where}`))])
  })
}

/** Declares tests on a server of their own, which is durable; a test that is skipped says why there is none. */
export async function onOwnServer(
  name: ServiceName,
  options: ServiceOptions,
  declare: (url: string, urls: readonly string[]) => void,
): Promise<void> {
  const missing = await unavailable(name)
  if (missing) {
    test.skip(`${name}: ${missing}`)
    return
  }
  const server = await startService(name, { durable: true, ...options })
  describe(server.title, () => {
    afterAll(() => server.stop())
    declare(
      server.url,
      server.nodes.map((node) => node.url),
    )
  })
}
