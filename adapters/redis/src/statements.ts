/** The contract of the core (`reduce`) in Lua, and the arguments of its calls. */
import { createHash } from 'node:crypto'
import { type Change, type Claim, PURGE_GRACE_MS, toUs } from '@retryproof/core/store'

/**
 * KEYS[1] the record; ARGV[1] the command; ARGV[2] an injected now in µs, or '' for the server's clock; ARGV[3] '1' to
 * write something in any case, so that WAIT covers the changes that the answer rests on; from ARGV[4] on the command's own.
 *
 * Times are whole µs as decimal text, which a double holds exactly until 2255. Fields: s state, t token, o owner,
 * f fingerprint, a attempt, i 1 if interrupted, l leaseUntil, e expiresAt, q request, n checkpoint seq, c its data, r result.
 * Redis removes a record a minute after its expiry, so that a clock that steps back gives out no token twice.
 */
export const script = `
local key, op = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then local t = redis.call('TIME'); now = t[1] * 1000000 + t[2] end
local function S(n) return string.format('%.0f', n) end -- tostring(1.7e15) says 1.7e+15
local v = redis.call('HMGET', key, 's', 't', 'o', 'f', 'a', 'i', 'l', 'e')
local state, owner, fingerprint, interrupted = v[1], v[3], v[4], v[6] == '1'
local token, attempt, lease, expires = tonumber(v[2] or 0), tonumber(v[5] or 0), tonumber(v[7] or 0), tonumber(v[8] or 0)
local present = state and expires > now
local live = present and state ~= 'tombstone'

local function remain()
  if ARGV[2] == '' then redis.call('PEXPIREAT', key, S(math.ceil(expires / 1000) + ${PURGE_GRACE_MS})) end
end
-- A script is not rolled back. So HSET, which alone can be refused for memory, replicas or disk, comes first, and nothing is
-- written for a user who may not run the commands behind it.
local function save(...)
  if not (redis.acl_check_cmd('PEXPIREAT', key, 0) and redis.acl_check_cmd('HDEL', key, 'i')) then
    error({ err = 'NOPERM this user may not run PEXPIREAT and HDEL' })
  end
  redis.call('HSET', key, 's', state, 'e', S(expires), ...)
  remain()
end
local function view(outcome, values)
  local leased = state == 'in_progress' or state == 'released'
  local q, n, c, r = false, false, false, false
  if values == 'all' or values == 'work' and attempt > 1 then q = redis.call('HGET', key, 'q') end
  if values == 'all' or values == 'work' then n, c = unpack(redis.call('HMGET', key, 'n', 'c')) end
  if values == 'all' or values == 'result' then r = redis.call('HGET', key, 'r') end
  return { outcome, state, S(token), fingerprint, attempt, interrupted and 1 or 0,
    leased and math.max(0, math.ceil((lease - now) / 1000)) or 0, math.ceil((expires - now) / 1000), q, n, c, r }
end
if ARGV[3] == '1' and present then remain() end -- no HSET, which a full memory refuses: a replay needs no room

if op == 'get' then return live and view('', 'all') or {} end
if op == 'list' then
  return state and { state, S(token), attempt, interrupted and 1 or 0, S(lease), S(expires), S(now) } or {}
end

if op == 'begin' then -- owner, fingerprint, leaseUs, retentionUs[, request]
  if live then
    if fingerprint ~= ARGV[5] then return view('mismatch') end
    if state ~= 'in_progress' and state ~= 'released' then return view('settled', 'result') end
    if state == 'in_progress' and owner == ARGV[4] then return view('acquired', 'work') end
    if lease > now then return view('in_progress') end
    attempt, interrupted = attempt + 1, state == 'in_progress' or interrupted
  else
    attempt, interrupted, expires = 1, false, 0
  end
  state, token, fingerprint, lease = 'in_progress', math.max(token + 1, now), ARGV[5], now + ARGV[6]
  expires = math.max(expires, lease + ARGV[7])
  local fields = { 't', S(token), 'o', ARGV[4], 'f', fingerprint, 'a', attempt, 'l', S(lease) } -- no nil: redis.call refuses it
  if interrupted then fields[11], fields[12] = 'i', 1 end
  if not live and ARGV[8] then fields[11], fields[12] = 'q', ARGV[8] end
  save(unpack(fields))
  if not live then redis.call('HDEL', key, 'i', 'n', 'c', 'r', ARGV[8] and 'i' or 'q') end
  return view('acquired', 'work')
end

-- a transition: token, us, retentionUs, then of renew [seq, data], of a result its bytes, of released '1' if unresolved, '1' to shorten
local us, retention = ARGV[5], ARGV[6]
local function lost() return live and view('lost', 'result') or { 'lost' } end
if not present or S(token) ~= ARGV[4] then return lost() end
if op == state then return { 'ok', 0 } end
if op == 'renew' and state == 'in_progress' then
  lease = math.max(lease, now + us)
  expires = math.max(expires, lease + retention)
  local seq = ARGV[7] and redis.call('HGET', key, 'n')
  local stale = seq and tonumber(ARGV[7]) <= tonumber(seq)
  if ARGV[7] and not stale then save('l', S(lease), 'n', ARGV[7], 'c', ARGV[8]) else save('l', S(lease)) end
  return { 'ok', stale and 0 or 1 }
end
local open = state == 'in_progress' or state == 'parked' and op ~= 'parked'
if op == 'renew' or not live or not open and op ~= 'tombstone' then return lost() end
state = op
if op == 'tombstone' then
  expires = now + us
  save()
  redis.call('HDEL', key, 'o', 'f', 'a', 'i', 'l', 'q', 'n', 'c', 'r')
elseif op == 'released' then
  expires = math.max(ARGV[8] == '1' and 0 or expires, now + us + retention)
  lease = us == '0' and us or S(now + us)
  if ARGV[7] == '1' then save('o', '', 'l', lease, 'i', 1) else save('o', '', 'l', lease) end
  if ARGV[7] == '0' then redis.call('HDEL', key, 'i') end
elseif op == 'parked' then
  expires = now + retention
  save()
else
  expires = now + retention
  save('r', ARGV[7])
  redis.call('HDEL', key, 'o', 'l', 'n', 'c')
end
redis.pcall('PUBLISH', key, op) -- a user that may not publish loses the hint, and nothing else
return { 'ok', 1 }
`.trim()

/** The name under which a server keeps the script until it restarts, fails over or flushes its scripts. */
export const sha = createHash('sha1').update(script).digest('hex')

export type Argument = string | number | Uint8Array
/** Bytes, and integers as numbers (or as text, if the client is configured so). */
export type Field = Buffer | string | number | null

const us = (ms: number): string => String(toUs(ms))

/** Returns the first arguments of every call. `now`: ms of an injected clock. */
export function callArguments(key: string, command: string, now: number | undefined, touch: boolean): Argument[] {
  return [key, command, now === undefined ? '' : us(now), touch ? 1 : 0]
}

export function claimArguments({ owner, fingerprint, leaseMs, retentionMs, request }: Claim): Argument[] {
  return [owner, fingerprint, us(leaseMs), us(retentionMs), ...(request ? [request] : [])]
}

export function changeArguments(change: Change): Argument[] {
  switch (change.to) {
    case 'renew': {
      const { leaseMs, retentionMs = 0, checkpoint } = change
      return [us(leaseMs), us(retentionMs), ...(checkpoint ? [checkpoint.seq, checkpoint.data] : [])]
    }
    case 'released':
      return [us(change.delayMs), us(change.retentionMs), change.unresolved ? 1 : 0, change.shorten ? 1 : 0]
    case 'forgotten':
      return [us(change.tombstoneMs), 0]
    case 'parked':
      return [0, us(change.retentionMs)]
    default:
      return [0, us(change.retentionMs), change.result]
  }
}
