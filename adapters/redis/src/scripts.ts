/** The contract of the core (`reduce`) in Lua: one script, one record, one clock, one round trip. */
import { createHash } from 'node:crypto'

/**
 * KEYS[1] the record. ARGV[1] what to do; ARGV[2] injected now in µs, or '' for the server's clock; ARGV[3] graceMs;
 * ARGV[4] '1': write something whatever happens, so that WAIT covers what the answer rests on; then:
 *
 * begin: owner, fingerprint, leaseUs, retentionUs[, request]. get, peek, purge: nothing more.
 * Transitions: token, us (lease, delay or tombstone), retentionUs, then renew [seq, data], completed and failed result,
 * released unresolved.
 *
 * Times are whole µs as decimal text, which a double holds exactly until 2255. Fields: s state, t token, o owner,
 * f fingerprint, a attempt, i interrupted, l leaseUntil, e expiresAt, q request, n checkpoint seq, c its data, r result.
 */
export const script = `
local key, op, token = KEYS[1], ARGV[1], ARGV[5]
local now = tonumber(ARGV[2])
if not now then local t = redis.call('TIME'); now = t[1] * 1000000 + t[2] end
local function S(n) return string.format('%.0f', n) end -- tostring(1.7e15) says 1.7e+15
local v = redis.call('HMGET', key, 's', 't', 'o', 'f', 'a', 'i', 'l', 'e')
local state, owner, fingerprint, interrupted = v[1], v[3], v[4], v[6] == '1'
local held, attempt, lease, expires = tonumber(v[2] or 0), tonumber(v[5] or 0), tonumber(v[7] or 0), tonumber(v[8] or 0)
local present = state and expires > now
local live = present and state ~= 'forgotten'
local leased = state == 'in_progress' or state == 'released'
-- not HSET, which a full memory refuses: a replay must not need room
if ARGV[4] == '1' and present then redis.call('PEXPIREAT', key, S(math.ceil(expires / 1000) + ARGV[3])) end

local function view(outcome, work, result, request)
  local q, n, c, r = false, false, false, false
  if request then q = redis.call('HGET', key, 'q') end
  if work then n, c = unpack(redis.call('HMGET', key, 'n', 'c')) end
  if result then r = redis.call('HGET', key, 'r') end
  return { outcome, state, S(held), fingerprint, attempt, interrupted and 1 or 0,
    leased and math.max(0, math.ceil((lease - now) / 1000)) or 0, math.ceil((expires - now) / 1000), q, n, c, r }
end
local function save(...) -- HSET, which alone can be refused (memory, replicas, disk), comes first: a script is not rolled back
  redis.call('HSET', key, 's', state, 'e', S(expires), ...)
  if ARGV[2] == '' then redis.call('PEXPIREAT', key, S(math.ceil(expires / 1000) + ARGV[3])) end
end

if op == 'get' then return live and view('', true, true, true) or {} end
if op == 'peek' then
  return state and state ~= 'forgotten' and { state, S(held), attempt, interrupted and 1 or 0, S(lease), S(expires), S(now) } or {}
end
if op == 'purge' then
  return { state and expires + ARGV[3] * 1000 <= now and held < now and redis.call('DEL', key) or 0 }
end

if op == 'begin' then
  if live then
    if fingerprint ~= ARGV[6] then return view('mismatch') end
    if not leased then return view('settled', false, true) end
    if state == 'in_progress' and owner == ARGV[5] then return view('acquired', true, false, attempt > 1) end
    if lease > now then return view('in_progress') end
    attempt, interrupted = attempt + 1, state == 'in_progress' or interrupted
  else
    attempt, interrupted, expires = 1, false, 0
  end
  state, held, fingerprint, lease, leased = 'in_progress', math.max(held + 1, now), ARGV[6], now + ARGV[7], true
  expires = math.max(expires, lease + ARGV[8])
  local fields = { 't', S(held), 'o', ARGV[5], 'f', fingerprint, 'a', attempt, 'i', interrupted and 1 or 0, 'l', S(lease) }
  if not live and ARGV[9] then fields[13], fields[14] = 'q', ARGV[9] end -- never a nil in the middle: redis.call refuses it
  save(unpack(fields))
  if not live then redis.call('HDEL', key, 'n', 'c', 'r', ARGV[9] and 'n' or 'q') end
  return view('acquired', true, false, attempt > 1)
end

local us, retention = ARGV[6], ARGV[7]
local function lost() return live and view('lost', false, true) or { 'lost' } end
if not present or S(held) ~= token then return lost() end
if op == state then return { 'ok', 0 } end
if not live then return lost() end
if op == 'renew' then
  if state ~= 'in_progress' then return lost() end
  lease = math.max(lease, now + us)
  expires = math.max(expires, lease + retention)
  local seq = ARGV[8] and redis.call('HGET', key, 'n')
  local stale = seq and tonumber(ARGV[8]) <= tonumber(seq)
  if ARGV[8] and not stale then save('l', S(lease), 'n', ARGV[8], 'c', ARGV[9]) else save('l', S(lease)) end
  return { 'ok', stale and 0 or 1 }
end
if op ~= 'forgotten' and state ~= 'in_progress' and (state ~= 'parked' or op == 'parked') then return lost() end
state = op
if op == 'forgotten' then
  expires = now + us
  save()
  redis.call('HDEL', key, 'o', 'f', 'a', 'i', 'l', 'q', 'n', 'c', 'r')
elseif op == 'released' then
  expires = math.max(expires, now + us + retention)
  save('o', '', 'l', us == '0' and '0' or S(now + us), 'i', ARGV[8])
elseif op == 'parked' then
  expires = now + retention
  save()
else
  expires = now + retention
  save('r', ARGV[8])
  redis.call('HDEL', key, 'o', 'l', 'n', 'c')
end
redis.pcall('PUBLISH', key, op) -- a user that may not publish loses the hint, and nothing else
return { 'ok', 1 }
`.trim()

/** The name under which a server keeps the script, until it restarts or forgets it. */
export const sha = createHash('sha1').update(script).digest('hex')
