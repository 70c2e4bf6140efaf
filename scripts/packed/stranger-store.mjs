// A store of somebody else: ten lines over a Map.
import { reduce } from '@retryproof/core'

export function strangerStore({ now = () => performance.timeOrigin + performance.now() } = {}) {
  const records = new Map()
  const apply = async (key, command) => {
    const { record, reply } = structuredClone(
      reduce(records.get(key) ?? null, structuredClone(command), Math.floor(now() * 1000)),
    )
    if (record) records.set(key, record)
    return reply
  }
  return {
    capabilities: { clock: 'host', durable: false, shared: 'process', transactional: false, maxValueBytes: 2 ** 25 },
    begin: (key, claim) => apply(key, { op: 'begin', claim }),
    transition: (key, token, change) => apply(key, { op: 'transition', token, change }),
    get: (key) => apply(key, { op: 'get' }),
  }
}
