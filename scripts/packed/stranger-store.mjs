// A store of somebody else: a few lines over a Map.
import { assertValueFits, reduce } from '@retryproof/core/store'

const MAX_VALUE_BYTES = 2 ** 22

export function strangerStore({ now = () => performance.timeOrigin + performance.now() } = {}) {
  const records = new Map()
  const apply = (key, command) => {
    const before = records.get(key) ?? null
    const { record, reply } = reduce(before, command, Math.floor(now() * 1000))
    // copies in and out: nobody else may hold the bytes of a record
    if (record !== before) records.set(key, structuredClone(record))
    return structuredClone(reply)
  }
  return {
    capabilities: {
      clock: 'host',
      durable: false,
      shared: 'process',
      transactional: false,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    async begin(key, claim) {
      assertValueFits(MAX_VALUE_BYTES, claim)
      return apply(key, { op: 'begin', claim })
    },
    async transition(key, token, change) {
      assertValueFits(MAX_VALUE_BYTES, change)
      return apply(key, { op: 'transition', token, change })
    },
    get: async (key) => apply(key, { op: 'get' }),
  }
}
