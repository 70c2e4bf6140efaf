/** Remembers the keys that this process forgot, so that a late write to a cache does not bring an old entry back. */
export interface ForgottenKeys {
  /** Records that every entry of `key` with a token up to `token` is void. */
  add(key: string, token: number): void
  isVoid(key: string, token: number): boolean
}

/** @param forMs the time that an entry may live at most: an older one is void by its deadline */
export function forgottenKeys(forMs: number, now: () => number): ForgottenKeys {
  const forgotten = new Map<string, { readonly token: number; readonly until: number }>()
  return {
    add(key, token) {
      const at = now()
      for (const [old, { until }] of forgotten) {
        // insertion order is the order of `until`
        if (until > at) break
        forgotten.delete(old)
      }
      forgotten.delete(key)
      forgotten.set(key, { token, until: at + forMs })
    },
    isVoid: (key, token) => token <= (forgotten.get(key)?.token ?? 0),
  }
}
