/** Finds the owner of a key. */
import type { Scope } from '@retryproof/core'
import { isAccident, isPromise, type MaybePromise } from '@retryproof/core/internal'
import { Refusal } from '../../protocol/refusal.ts'
import type { HttpOptions } from '../options/options.ts'

/**
 * Gives the scope of a request.
 *
 * @param place the operation, for the answer to a caller who is not known
 * @throws {@link Refusal} where the function finds nobody: `undefined`, an empty text or list, or the text `undefined`
 */
export function requireOwner<Native>(
  place: string,
  native: Native,
  scope: HttpOptions<Native>['scope'],
): MaybePromise<Scope> {
  if (typeof scope !== 'function') return scope
  const found = scope(native)
  const check = (owner: unknown) => requireKnown(place, scope, owner)
  return isPromise(found) ? found.then(check) : check(found)
}

function requireKnown(place: string, finder: { readonly name: string }, owner: unknown): Scope {
  if (typeof owner === 'string' && owner !== '' && !isAccident(owner)) return owner
  const parts: unknown[] = [owner].flat()
  if (owner !== undefined && parts.length > 0 && !parts.some(isNobody)) return owner as Scope
  const given = JSON.stringify(owner) ?? 'undefined'
  throw new Refusal(
    'unauthenticated',
    `The request does not say who sends it: the function \`${finder.name || 'scope'}\` of ${place} gave ${given}.`,
  )
}

function isNobody(part: unknown): boolean {
  return part === undefined || part === null || part === '' || isAccident(part)
}
