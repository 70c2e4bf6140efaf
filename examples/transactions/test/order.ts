/** An order of five steps: four are local, and one is taken where no transaction reaches. */
import type { Attempt, Steps } from '@retryproof/core'

export const STEPS = ['reserve', 'charge', 'invoice', 'pack', 'ship'] as const
/** Before each step, and after the last one, before the result is recorded. */
export const POINTS = [0, 1, 2, 3, 4, 5]

type Step = (typeof STEPS)[number]

export interface Doing<Tx> {
  /** Comes before the step of that number; whoever never returns from it is a process that is no more. */
  reach(point: number): Promise<void>
  charge(name: Step): void
  /** If transactions are synchronous, it has written when it returns. */
  write(tx: Tx, name: Step): Promise<unknown> | undefined
}

/** The names of the steps, as each of them gave it. */
export async function takeOrder<Tx>(attempt: Attempt & Steps<Tx>, doing: Doing<Tx>): Promise<string[]> {
  const done: string[] = []
  for (const [point, name] of STEPS.entries()) {
    await doing.reach(point)
    const charge = () => {
      doing.charge(name)
      return name
    }
    const write = (tx: Tx): string | Promise<string> => doing.write(tx, name)?.then(() => name) ?? name
    done.push(await (name === 'charge' ? attempt.step(name, charge) : attempt.transaction(name, write)))
  }
  await doing.reach(STEPS.length)
  return done
}
