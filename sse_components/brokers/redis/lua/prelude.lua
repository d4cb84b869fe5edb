-- What all scripts share. KEYS[1] is a hash of the epoch `e` and the last seq `s`; every
-- other key begins with what stands before its last letter:
--   g:<name>  hash: the seq of the newest event `s` and its epoch `e`; of a pattern also
--             `n`, when it was last noted
--   h:<name>  history, a stream: the seq is its id, `p` the seq before it, `d` the event
--   i:<key>   hash: what a call with an idempotency key published
-- Ages are counted in seqs, which are microseconds. The server's own expiry only tidies
-- up after them.
local PREFIX = string.sub(KEYS[1], 1, -2)

local function text(number)  -- as '..' would print no more than 14 digits
  return string.format('%.0f', number)
end

-- Return the epoch, the present, by how much that is ahead of the clock, the next seq.
local function tick(new_epoch)
  local known = redis.call('HMGET', KEYS[1], 'e', 's')
  local epoch, seq, now = known[1], tonumber(known[2] or '0'), now_us()
  if not epoch then
    epoch, seq = new_epoch, 0
  end
  local present = math.max(seq, now)
  return epoch, present, present - now, math.max(seq + 1, now)
end

local function keep(epoch, seq)
  redis.call('HSET', KEYS[1], 'e', epoch, 's', text(seq))
end

local function expire(key, microseconds)
  redis.call('PEXPIRE', key, text(math.ceil(microseconds / 1000)))
end

local function is_pattern(name)
  return string.sub(name, -2) == '.*'
end

-- Return what is remembered of a name in this epoch: the newest seq, when it was noted.
local function remembered(name, epoch)
  local known = redis.call('HMGET', PREFIX .. 'g:' .. name, 'e', 's', 'n')
  if known[1] ~= epoch then
    return nil, nil
  end
  return tonumber(known[2]), tonumber(known[3] or '0')
end
