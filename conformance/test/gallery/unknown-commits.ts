import { StoreUnavailableError } from '@retryproof/core'
import { committingServer } from '../committing-server.ts'
import type { BrokenStore } from './broken.ts'

const server = await committingServer()

function losing(name: string, lost: () => void): BrokenStore {
  const harness = () => server.harness({ lost })
  return { name, rejectedBy: 'C22-unknown-commit', harness: harness as unknown as BrokenStore['harness'] }
}

export const unknownCommits: readonly BrokenStore[] = [
  losing('a COMMIT that nobody has answered is told as committed', () => {}),
  losing('a COMMIT that nobody has answered is told as without effect', () => {
    throw new StoreUnavailableError('The connection was cut.', { applied: 'no' })
  }),
  losing('a COMMIT that nobody has answered is told in the words of the driver', () => {
    throw new Error('read ECONNRESET')
  }),
]
