/** Waits for what servers do by themselves. */
import { setTimeout as delay } from 'node:timers/promises'

/** Resolves when `holds` does. A server that does not answer yet is asked again. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await delay(50)
}
