import { type ConsoleHandler, consoleHandler } from '@retryproof/console'
import { idempotency } from '../../../lib/idempotency'

/** The console for operators. Ask your session who it is. */
const handle: ConsoleHandler = consoleHandler({
  idempotency,
  authorize: (request) =>
    request.headers.get('authorization') === `Bearer ${process.env.OPS_TOKEN}` ? { name: 'ops' } : null,
})

export const GET = handle
export const POST = handle
