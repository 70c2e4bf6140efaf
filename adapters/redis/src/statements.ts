/** The contract of the core (`reduce`) in Lua, and the arguments of its calls. */
import { createHash } from 'node:crypto'
import { type Change, type Claim, PURGE_GRACE_MS, type StoredRecord, toUs } from '@retryproof/core/store'

/** The letters by which records and calls name a state. */
export const letters = {
  in_progress: 'i',
  released: 'r',
  parked: 'p',
  completed: 'c',
  failed: 'f',
  tombstone: 't',
} as const satisfies Record<StoredRecord['state'], string>

/** The bytes at the beginning of a record that each call reads. What lies behind them is read when it is needed. */
const WINDOW = 4096
/**
 * The head of a record, as `struct` writes it: the mark of its layout, state, interrupted, attempt, token, leaseUntil,
 * expiresAt, checkpoint seq, and the lengths of what lies behind it: owner, fingerprint, request, checkpoint data, result.
 */
const HEAD = '<c2c1BI4ddddI4I4i4i4i4'
/** The length of a head. */
export const HEAD_BYTES = 60

/** The bytes of records that the calls of one script may read. The call that exceeds them is the last of the script. */
const MAX_READ = 256 * 1024
/** The arguments of a script before those of its calls. */
const SHARED = 2

/**
 * KEYS: a record, a string, for each call; ARGV[1] an injected now in µs, or '' for the server's clock; ARGV[2] '1' to write
 * something in any case, so that WAIT covers the changes that the answers rest on; then for each call its text and its value.
 * A text is the command, of a transition the letter of its state; us, which is the lease or the delay; retentionUs; the token, or the bytes
 * of the owner; the seq of a checkpoint, or of a release 1 if unresolved and 2 to shorten; behind each a zero; then owner and fingerprint.
 *
 * Returns the clock, and for each call the length of its answer and the answer: of a transition that the record accepts '1' or '0'
 * (`applied`); of a begin that made a record whose token is the clock '1'; '-' and an error; else the record, or as much of it as the
 * answer needs. Calls behind the one that exceeds MAX_READ have none, and were not run.
 *
 * Times are whole µs, which a double holds exactly until 2255. The lengths are o, f, q, c and r; the last three are -1 where
 * there is no request, checkpoint or result. Redis removes a record a minute after its expiry, so that a clock that steps back gives out
 * no token twice.
 */
export const script = `
local call, sub, KEYS, ARGV = redis.call, string.sub, KEYS, ARGV
local now, timed = tonumber(ARGV[1]), ARGV[1] == ''
if timed then local t = call('TIME'); now = t[1] * 1000000 + t[2] end
local used = 0

local function whole(key, record)
  if #record == ${WINDOW} then record = record .. call('GETRANGE', key, ${WINDOW}, -1) end
  used = used + #record
  return record
end
local function removal(expires) return math.ceil(expires / 1000) + ${PURGE_GRACE_MS} end

local function run(key, asked, value)
  local op, us, retention, held, extra, at = struct.unpack('sssss', asked)
  local record = call('GETRANGE', key, '0', '${WINDOW - 1}')
  local mark, state, interrupted, attempt, token, lease, expires, seq, o, f, q, c, r = 'R1', 't', 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1
  local owner, fingerprint = '', ''
  if record ~= '' then
    if sub(record, 1, 2) ~= 'R1' or #record < ${HEAD_BYTES} then error({ err = 'WRONGTYPE the key holds no record' }) end
    mark, state, interrupted, attempt, token, lease, expires, seq, o, f, q, c, r = struct.unpack('${HEAD}', record)
    if ${HEAD_BYTES} + o + f > ${WINDOW} then record = whole(key, record) end
    owner, fingerprint = sub(record, ${HEAD_BYTES + 1}, ${HEAD_BYTES} + o), sub(record, ${HEAD_BYTES + 1} + o, ${HEAD_BYTES} + o + f)
  end
  local present = expires > now
  local live = present and state ~= 't'
  local behind = ${HEAD_BYTES + 1} + o + f
  -- no SET, which a full memory refuses: a replay needs no room
  if ARGV[2] == '1' and timed and present then call('PEXPIREAT', key, removal(expires)) end

  if op == 'get' then return whole(key, record) end
  if op == 'list' then return record end

  local values -- what is to lie behind the head, nil where all stays as it is
  local begins, renews, answer = op == 'begin' or op == 'submit', op == 'renew' or op == 'checkpoint', '1'
  local anew = begins and not live
  if begins then
    local by, mine = sub(asked, at, at + held - 1), sub(asked, at + held)
    if live then
      if fingerprint ~= mine then return record end
      if state ~= 'i' and state ~= 'r' or state == 'i' and owner == by then return whole(key, record) end
      if lease > now then return record end
      values = sub(whole(key, record), behind)
      attempt, interrupted = attempt + 1, state == 'i' and 1 or interrupted
    else
      values = value
      attempt, interrupted, expires, q, c, r = 1, 0, 0, op == 'submit' and #value or -1, -1, -1
    end
    state, token, owner, fingerprint, lease = 'i', math.max(token + 1, now), by, mine, now + us
    expires = math.max(expires, lease + retention)
  else
    if not present or token ~= tonumber(held) then return whole(key, record) end
    if op == state then return '0' end
    local open = state == 'i' or state == 'p' and op ~= 'p' and not renews
    if not live or not open and op ~= 't' then return whole(key, record) end
    if op == 't' then
      expires, values = now + us, ''
      interrupted, attempt, lease, owner, fingerprint, q, c, r = 0, 0, 0, '', '', -1, -1, -1
    elseif op == 'r' then
      expires = math.max(extra > '1' and 0 or expires, now + us + retention)
      lease, interrupted = us == '0' and 0 or now + us, extra % 2
    elseif op == 'p' then
      expires = now + retention
    elseif renews then
      lease = math.max(lease, now + us)
      expires = math.max(expires, lease + retention)
      local checks, given = op == 'checkpoint', tonumber(extra)
      if checks and c >= 0 and given <= seq then answer = '0'
      elseif checks then
        values = (q > 0 and sub(whole(key, record), behind, behind + q - 1) or '') .. value
        seq, c = given, #value
      end
    else
      values = (q > 0 and sub(whole(key, record), behind, behind + q - 1) or '') .. value
      expires, owner, c, r = now + retention, '', -1, #value
    end
    if not renews then state = op end
  end

  local head = struct.pack('${HEAD}', 'R1', state, interrupted, attempt, token, lease, expires, seq, #owner, #fingerprint, q, c, r)
  if values then
    record = head .. owner .. fingerprint .. values
    if timed then call('SET', key, record, 'PXAT', removal(expires)) else call('SET', key, record) end
  else
    -- Values stay as they are, however long. A script is not rolled back. So SETRANGE, which alone can be refused for memory,
    -- replicas or disk, comes first, and nothing is written for a user who may not run the command behind it.
    if not redis.acl_check_cmd('PEXPIREAT', key, 0) then error({ err = 'NOPERM this user may not run PEXPIREAT' }) end
    call('SETRANGE', key, 0, head)
    if timed then call('PEXPIREAT', key, removal(expires)) end
  end
  if begins then return anew and token == now and '1' or record end
  if not renews then redis.pcall('PUBLISH', key, op) end -- a user that may not publish loses the hint, and nothing else
  return answer
end

local answers = { struct.pack('<d', now) }
for i = 1, #KEYS do
  local done, answer = pcall(run, KEYS[i], ARGV[${SHARED - 1} + 2 * i], ARGV[${SHARED} + 2 * i])
  if not done then answer = '-' .. (type(answer) == 'table' and answer.err or tostring(answer)) end
  answers[2 * i], answers[2 * i + 1] = struct.pack('<I4', #answer), answer
  if used > ${MAX_READ} then break end
end
return table.concat(answers)
`.trim()

/** The name under which a server keeps the script until it restarts, fails over or flushes its scripts. */
export const sha = createHash('sha1').update(script).digest('hex')

/** The arguments of one key: its command and numbers as text, and a value. */
export interface Asked {
  readonly text: string
  readonly value?: Uint8Array | undefined
}

type Digits = number | string

const us = (ms: number): string => String(toUs(ms))

/** The arguments that the calls of a script share. `now`: ms of an injected clock. */
export function sharedArguments(now: number | undefined, touch: boolean): [string, string] {
  return [now === undefined ? '' : us(now), touch ? '1' : '']
}

/** A zero stands behind each of the five, by which `struct` tells them apart. */
function textOf(command: string, us: Digits, retentionUs: Digits, held: Digits, extra: Digits, rest = ''): string {
  return `${command}\0${us}\0${retentionUs}\0${held}\0${extra}\0${rest}`
}

export const reads = { get: { text: textOf('get', 0, 0, 0, 0) }, list: { text: textOf('list', 0, 0, 0, 0) } }

export function askedBegin({ owner, fingerprint, leaseMs, retentionMs, request }: Claim): Asked {
  const command = request ? 'submit' : 'begin'
  const text = textOf(command, us(leaseMs), us(retentionMs), Buffer.byteLength(owner), 0, owner + fingerprint)
  return { text, value: request }
}

export function askedChange(token: number, change: Change): Asked {
  switch (change.to) {
    case 'renew': {
      const { leaseMs, retentionMs = 0, checkpoint } = change
      const command = checkpoint ? 'checkpoint' : 'renew'
      const text = textOf(command, us(leaseMs), us(retentionMs), token, checkpoint?.seq ?? 0)
      return { text, value: checkpoint?.data }
    }
    case 'released': {
      const { delayMs, retentionMs, unresolved, shorten } = change
      const flags = (unresolved ? 1 : 0) + (shorten ? 2 : 0)
      return { text: textOf(letters.released, us(delayMs), us(retentionMs), token, flags) }
    }
    case 'forgotten':
      return { text: textOf(letters.tombstone, us(change.tombstoneMs), 0, token, 0) }
    case 'parked':
      return { text: textOf(letters.parked, 0, us(change.retentionMs), token, 0) }
    default:
      return { text: textOf(letters[change.to], 0, us(change.retentionMs), token, 0), value: change.result }
  }
}
