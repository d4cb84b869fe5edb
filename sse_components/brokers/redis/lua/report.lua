-- Take in what changed at a node, and renew its lease.
-- ARGV: as all of presence; the node, the turn, the one before it, whether it is silent, how
-- many members; of each a group, a user, connections; then groups and their subscribers
-- -> {epoch, type, group, user, seq, last seen...} | nil
local node, turn, after = ARGV[OWN], tonumber(ARGV[OWN + 1]), tonumber(ARGV[OWN + 2])
local silent, members = ARGV[OWN + 3] == '1', tonumber(ARGV[OWN + 4])
local key = PREFIX .. 'n:' .. node

local lease_end = redis.call('ZSCORE', PREFIX .. 'n', node)
if lease_end and tonumber(lease_end) <= now then
  return false
end
local last = tonumber(redis.call('HGET', key, 't') or '0')
local known = lease_end and turn <= last
if not known and after ~= last then
  return false
end
redis.call('ZADD', PREFIX .. 'n', text(now + lease), node)
if known then
  return answer
end
redis.call('HSET', key, 't', text(turn))

-- Return by how much a number of the node changes.
local function replace(field, number)
  local before = tonumber(redis.call('HGET', key, field) or '0')
  if number == 0 then
    redis.call('HDEL', key, field)
  else
    redis.call('HSET', key, field, text(number))
  end
  return number - before
end

local rest = OWN + 5 + 3 * members
for i = OWN + 5, rest - 1, 3 do
  local group, user = ARGV[i], ARGV[i + 1]
  local by = replace('m' .. group .. '\0' .. user, tonumber(ARGV[i + 2]))
  if by ~= 0 and change(group, user, by, grace, start) then
    came(group, user, silent)
  end
end
for i = rest, #ARGV, 2 do
  local by = replace('s' .. ARGV[i], tonumber(ARGV[i + 1]))
  if by ~= 0 then
    hear(ARGV[i], by)
  end
end
publish_counts()
return answer
