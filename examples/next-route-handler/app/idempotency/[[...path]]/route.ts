import { type ConsoleHandler, consoleHandler } from '@retryproof/console'
import { idempotency } from '../../../lib/idempotency'

const token = process.env.OPS_TOKEN // nobody is let in without one

/** The console for operators. Ask your session who it is. */
const handle: ConsoleHandler = consoleHandler({
  idempotency,
  authorize: (request) =>
    token && request.headers.get('authorization') === `Bearer ${token}` ? { name: 'ops' } : null,
})

export const GET = handle
export const POST = handle
