import { StoreMisconfiguredError } from '../errors.ts'
import type { Change, Claim } from './store.ts'

/**
 * For stores: refuses a value above `maxValueBytes` before anything is sent.
 *
 * @example
 * import { assertValueFits, type Claim } from '@retryproof/core/store'
 *
 * async function begin(key: string, claim: Claim) {
 *   assertValueFits(2 ** 20, claim)
 * }
 *
 * @throws {@link StoreMisconfiguredError} when it is larger; nothing has changed
 */
export function assertValueFits(maxValueBytes: number, asked: Claim | Change): void {
  const { request, checkpoint, result } = asked as Partial<
    Claim & { checkpoint: { data: Uint8Array }; result: Uint8Array }
  >
  const size = Math.max(request?.length ?? 0, checkpoint?.data.length ?? 0, result?.length ?? 0)
  if (size <= maxValueBytes) return
  throw new StoreMisconfiguredError(`The value has ${size} bytes, and this store takes ${maxValueBytes} at most.`)
}
