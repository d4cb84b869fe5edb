-- What all scripts share. KEYS[1] is a hash of the epoch `e` and the last seq `s`; every
-- other key begins with what stands before its last letter:
--   g:<name>  hash: the seq of the newest event `s` and its epoch `e`; of a pattern also
--             `n`, when it was last noted
--   h:<name>  history, a stream: the seq is its id, `p` the seq before it, `d` the event
--   i:<key>   hash: what a call with an idempotency key published
--   v:u       zset: revocations, a subject and a pattern in lines, by the end of their time
--   v:s       hash: the seqs of the same
--   n         zset: nodes by the end of their lease
--   n:<node>  hash: the node's last turn `t`; `m<group>\0<user>` its connections and
--             `s<group>` its subscribers; while it is withdrawn bit by bit, `g` the grace
--             and `l` when its users were seen last
--   p:<group> hash: of each user in the group "connections since"
--   q         zset: <group>\0<user> whose last connection has gone, by the end of grace
--   l:<user>  the seq at which the user's last connection went
--   d         zset: large groups by when to publish how many there are
--   k:<group> hash: `l` while the group is large, and `c` when it was counted last
--   s         hash: the subscribers of each group
--   z         zset: the groups that have any, all of score 0
-- Channels: c:<name> has the name's events, v the revocations, w:<process> its watermarks.
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

-- Return a function that stores and announces an event of a group, numbers it with the
-- next seq, and returns that. Who calls it keeps the last.
local function publisher(size, history, memory, epoch, present, ahead, seq)
  local function append(name, last, event)
    local key = PREFIX .. 'h:' .. name
    if not last then
      last = 0
      redis.call('DEL', key)  -- of an epoch before, whose ids might be greater
    end
    local s, previous = text(seq), text(last)
    redis.call('HSET', PREFIX .. 'g:' .. name, 'e', epoch, 's', s)
    if size > 0 then
      redis.call('XADD', key, 'MAXLEN', size, s .. '-0', 'p', previous, 'd', event)
      expire(key, history + ahead)
    end
    redis.call('PUBLISH', PREFIX .. 'c:' .. name, epoch .. ' ' .. s .. ' ' .. previous .. '\n' .. event)
  end

  return function(group, event)
    append(group, (remembered(group, epoch)), event)
    expire(PREFIX .. 'g:' .. group, memory + ahead)
    local parent = string.match(group, '^(.*)%.[^.]*$')
    if parent then
      local last, noted = remembered(parent .. '.*', epoch)
      if last and noted >= present - memory then
        append(parent .. '.*', last, event)
      end
    end
    present = seq
    seq = seq + 1
    return present
  end
end
