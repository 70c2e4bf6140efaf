/** Maps errors of Redis and its client to errors of the store port. */
import type { IdempotencyError } from '@retryproof/core'
import {
  isIdempotencyError,
  StoreClosedError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core/store'

/** Refusals before anything has changed, by the first word of the reply, with advice. All of them may pass. */
export const refusals: Readonly<Record<string, string>> = {
  OOM: 'It is full: raise maxmemory, or keep records for a shorter time.',
  NOREPLICAS: 'Too few replicas follow it (min-replicas-to-write).',
  READONLY: 'It is a replica: connect to the primary, by Sentinels or as a Cluster.',
  MISCONF: 'It cannot write to its disk.',
  LOADING: '',
  MASTERDOWN: '',
  CLUSTERDOWN: '',
  TRYAGAIN: '',
  BUSY: '',
}

/** Refusals that last until somebody changes something. */
const misuses: Readonly<Record<string, string>> = {
  WRONGTYPE:
    'Something else than a record of this version has its name: give the store a prefix of its own. Records of versions that wrote hashes are gone at the end of their retention.',
  NOAUTH: 'Give the client a password.',
  WRONGPASS: 'Give the client the right user and password.',
  MOVED: 'It is a server of a Cluster: connect by new Cluster(…).',
  NOPERM: 'Its user needs evalsha, eval, time, getrange, set, setrange and pexpireat on the keys with the prefix.',
}

/** Advice for a server that lacks a command. */
export const TOO_OLD = 'The store needs Redis 7.0 or later, or Valkey, with no command renamed.'

/**
 * Maps an error of the client or the server: `closed` where the application ended the client, `misconfigured` where only a
 * change helps, else `unavailable`.
 *
 * @param resends whether the client may have sent the command before
 * @param isClosed whether the client has ended
 */
export function toStoreError(cause: unknown, resends: boolean, isClosed = false): IdempotencyError {
  if (isIdempotencyError(cause)) return cause
  if (isClosed) return new StoreClosedError('Redis: the client is closed. Close it after the last call.', { cause })
  const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '')
  if (/unknown (redis )?command|invalid command passed|acl_check_cmd/i.test(said)) {
    return new StoreMisconfiguredError(`Redis: ${said}. ${TOO_OLD}`, { cause })
  }
  // a script that runs a command which its user may not run says so in words
  const code = said.includes("can't run this command") ? 'NOPERM' : (/^[A-Z]+\b/.exec(said)?.[0] ?? '')
  const misuse = /subscriber mode|monitoring mode/.test(said) ? 'Give the store a client of its own.' : misuses[code]
  if (misuse) return new StoreMisconfiguredError(`Redis: ${said}. ${misuse}`, { cause })
  const refused = Object.hasOwn(refusals, code) || said.includes('enableOfflineQueue') // the latter was never sent
  const message = `Redis: ${said}. ${refusals[code] ?? ''}`.trimEnd()
  return new StoreUnavailableError(message, { applied: refused && !resends ? 'no' : 'unknown', cause })
}

/** Tells that something else than a record of this version has the name of one. */
export function isOfAnother(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown }
  return /^(ReplyError|Error): WRONGTYPE\b/.test(String(cause))
}
