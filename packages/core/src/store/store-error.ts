/** The three kinds of store errors, as each adapter's table of errors names them. */
import { type IdempotencyError, StoreClosedError, StoreMisconfiguredError, StoreUnavailableError } from '../errors.ts'

/** The meaning of an error of a driver or a server for the caller of a store. */
export type ErrorMeaning =
  /** Repeating may help. `applied: 'unknown'`: the change may have taken effect. */
  | { readonly kind: 'unavailable'; readonly applied: 'no' | 'unknown'; readonly advice?: string }
  /** Repeating never helps until somebody does what `advice` says. */
  | { readonly kind: 'misconfigured'; readonly advice: string }
  /** The application ended its pool or connection: nothing was sent, and nothing ever will be. */
  | { readonly kind: 'closed' }

const CLOSED = 'It was ended while the store needed it: await drain(), close the server, and end it last.'

/** The error of that kind. `said` is what the driver or the server says. */
export function storeError(said: string, meaning: ErrorMeaning, cause: unknown): IdempotencyError {
  const message =
    `${said.replace(/\.?\s*$/, '.')} ${meaning.kind === 'closed' ? CLOSED : (meaning.advice ?? '')}`.trimEnd()
  switch (meaning.kind) {
    case 'unavailable':
      return new StoreUnavailableError(message, { applied: meaning.applied, cause })
    case 'misconfigured':
      return new StoreMisconfiguredError(message, { cause })
    case 'closed':
      return new StoreClosedError(message, { cause })
  }
}
