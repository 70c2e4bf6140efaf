/** The contract of the core (`reduce`) in Lua, and the arguments of its calls. */
import { createHash } from 'node:crypto'
import { type Change, type Claim, PURGE_GRACE_MS, type StoredRecord, toUs } from '@retryproof/core/store'

/** The letters by which records and calls name a state. */
export const letters: Readonly<Record<StoredRecord['state'], string>> = {
  in_progress: 'i',
  released: 'r',
  parked: 'p',
  completed: 'c',
  failed: 'f',
  tombstone: 't',
}

/** The bytes at the beginning of a record that each call reads. What lies behind them is read when it is needed. */
const WINDOW = 4096
/**
 * The head of a record, as `struct` writes it: the mark of its layout, state, interrupted, attempt, token, leaseUntil,
 * expiresAt, checkpoint seq, and the lengths of what lies behind it: owner, fingerprint, request, checkpoint data, result.
 */
const HEAD = '<c2c1BI4ddddI4I4i4i4i4'
/** The length of a head. */
export const HEAD_BYTES = 60

/**
 * KEYS[1] the record, a string; ARGV[1] the command, of a transition the letter of its state; ARGV[2] an injected now in µs, or ''
 * for the server's clock; ARGV[3] '1' to write something in any case, so that WAIT covers the changes that the answer rests
 * on; from ARGV[4] on the command's own. Returns 1 or 0 (`applied`) for a transition, else the clock and the record, or
 * as much of it as the answer needs.
 *
 * Times are whole µs, which a double holds exactly until 2255. The lengths are o, f, q, c and r; the last three are -1 where
 * there is no request, checkpoint or result. Redis removes a record a minute after its expiry, so that a clock that steps back gives out
 * no token twice.
 */
export const script = `
local key, op = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then local t = redis.call('TIME'); now = t[1] * 1000000 + t[2] end
local record = redis.call('GETRANGE', key, '0', '${WINDOW - 1}')
local state, interrupted, attempt, token, lease, expires, seq, o, f, q, c, r = 't', 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1
local owner, fingerprint = '', ''
local function all()
  if #record == ${WINDOW} then record = record .. redis.call('GETRANGE', key, ${WINDOW}, -1) end
  return record
end
if record ~= '' then
  if string.sub(record, 1, 2) ~= 'R1' then error({ err = 'WRONGTYPE the key holds no record' }) end
  local mark
  mark, state, interrupted, attempt, token, lease, expires, seq, o, f, q, c, r = struct.unpack('${HEAD}', record)
  if ${HEAD_BYTES} + o + f > ${WINDOW} then all() end
  owner, fingerprint = string.sub(record, ${HEAD_BYTES + 1}, ${HEAD_BYTES} + o), string.sub(record, ${HEAD_BYTES + 1} + o, ${HEAD_BYTES} + o + f)
end
local present = expires > now
local live = present and state ~= 't'
local values = ${HEAD_BYTES + 1} + o + f

local function answer(bytes) return { string.format('%.0f', now), bytes } end -- tostring(1.7e15) says 1.7e+15
local function head()
  return struct.pack('${HEAD}', 'R1', state, interrupted, attempt, token, lease, expires, seq, #owner, #fingerprint, q, c, r)
end
local function remain() redis.call('PEXPIREAT', key, math.ceil(expires / 1000) + ${PURGE_GRACE_MS}) end
local function save(one, other)
  record = head() .. owner .. fingerprint .. one .. other
  if ARGV[2] == '' then redis.call('SET', key, record, 'PXAT', math.ceil(expires / 1000) + ${PURGE_GRACE_MS})
  else redis.call('SET', key, record) end
end
-- Values stay as they are, however long. A script is not rolled back. So SETRANGE, which alone can be refused for memory,
-- replicas or disk, comes first, and nothing is written for a user who may not run the command behind it.
local function saveHead()
  if not redis.acl_check_cmd('PEXPIREAT', key, 0) then error({ err = 'NOPERM this user may not run PEXPIREAT' }) end
  redis.call('SETRANGE', key, 0, head())
  if ARGV[2] == '' then remain() end
end
-- no SET, which a full memory refuses: a replay needs no room
if ARGV[3] == '1' and ARGV[2] == '' and present then remain() end

if op == 'get' then return answer(all()) end
if op == 'list' then return answer(record) end

if op == 'begin' then -- owner, fingerprint, leaseUs, retentionUs[, request]
  local kept = ''
  if live then
    if fingerprint ~= ARGV[5] then return answer(record) end
    if state ~= 'i' and state ~= 'r' or state == 'i' and owner == ARGV[4] then return answer(all()) end
    if lease > now then return answer(record) end
    kept = string.sub(all(), values)
    attempt, interrupted = attempt + 1, state == 'i' and 1 or interrupted
  else
    kept = ARGV[8] or ''
    attempt, interrupted, expires, q, c, r = 1, 0, 0, ARGV[8] and #kept or -1, -1, -1
  end
  state, token, owner, fingerprint, lease = 'i', math.max(token + 1, now), ARGV[4], ARGV[5], now + ARGV[6]
  expires = math.max(expires, lease + ARGV[7])
  save(kept, '')
  return answer(record)
end

-- a transition: token, us, retentionUs, then of renew [seq, data], of a result its bytes, of released '1' if unresolved, '1' to shorten
local us, retention = ARGV[5], ARGV[6]
local function request() return q > 0 and string.sub(all(), values, values + q - 1) or '' end
if not present or token ~= tonumber(ARGV[4]) then return answer(all()) end
if op == state then return 0 end
if op == 'renew' and state == 'i' then
  lease = math.max(lease, now + us)
  expires = math.max(expires, lease + retention)
  local stale = ARGV[7] and c >= 0 and tonumber(ARGV[7]) <= seq
  if ARGV[7] and not stale then
    local kept = request()
    seq, c = tonumber(ARGV[7]), #ARGV[8]
    save(kept, ARGV[8])
  else
    saveHead()
  end
  return stale and 0 or 1
end
local open = state == 'i' or state == 'p' and op ~= 'p'
if op == 'renew' or not live or not open and op ~= 't' then return answer(all()) end
state = op
if op == 't' then
  expires = now + us
  interrupted, attempt, lease, owner, fingerprint, q, c, r = 0, 0, 0, '', '', -1, -1, -1
  save('', '')
elseif op == 'r' then
  expires = math.max(ARGV[8] == '1' and 0 or expires, now + us + retention)
  lease, interrupted = us == '0' and 0 or now + us, tonumber(ARGV[7])
  saveHead()
elseif op == 'p' then
  expires = now + retention
  saveHead()
else
  local kept = request()
  expires, owner, c, r = now + retention, '', -1, #ARGV[7]
  save(kept, ARGV[7])
end
redis.pcall('PUBLISH', key, op) -- a user that may not publish loses the hint, and nothing else
return 1
`.trim()

/** The name under which a server keeps the script until it restarts, fails over or flushes its scripts. */
export const sha = createHash('sha1').update(script).digest('hex')

export type Argument = string | number | Uint8Array
/** The clock and the record, or 1 or 0 (as text, if the client is configured so) for a transition that the record accepts. */
export type Reply = readonly Buffer[] | string | number

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
