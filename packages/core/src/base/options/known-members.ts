/** Refuses mistyped members of calls and messages, which may have others of their application's own. */
import { IdempotencyInvalidCallError } from '../../errors.ts'
import { nearestName } from './nearest-name.ts'

/** @throws {@link IdempotencyInvalidCallError} when `value` has a name that differs by one edit from a known one which it lacks */
export function refuseMistypedMembers(what: string, value: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(value)) {
    if (known.has(name)) continue
    const missing = [...known].filter((member) => !(member in value))
    const meant = nearestName(name, missing, 1)
    if (meant !== undefined) throw mistyped(what, name, meant)
  }
}

function mistyped(what: string, name: string, meant: string): IdempotencyInvalidCallError {
  const field = meant === 'operation' || meant === 'scope' || meant === 'key' ? meant : 'payload'
  return new IdempotencyInvalidCallError(field, `${what}: ${name} is no member of it (did you mean ${meant}?)`)
}
