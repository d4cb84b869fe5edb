-- Withdraw the nodes whose lease has ended, and let go of whose grace has.
-- ARGV: as all of presence; how many members at most
-- -> {epoch, type, group, user, seq, last seen...}
local limit = tonumber(ARGV[OWN])

local left = limit
for _, node in ipairs(redis.call('ZRANGEBYSCORE', PREFIX .. 'n', '-inf', text(now), 'LIMIT', 0, limit)) do
  if left <= 0 then
    break
  end
  local begun = redis.call('HMGET', PREFIX .. 'n:' .. node, 'g', 'l')
  local seen = begun[2] or text(tonumber(redis.call('ZSCORE', PREFIX .. 'n', node)) - lease)
  left = left - withdraw(node, left, tonumber(begun[1] or grace), seen)
end

for _, entry in ipairs(redis.call('ZRANGEBYSCORE', PREFIX .. 'q', '-inf', text(now), 'LIMIT', 0, limit)) do
  local group, user = string.match(entry, '^(%Z*)%z(.*)$')
  redis.call('ZREM', PREFIX .. 'q', entry)
  redis.call('HDEL', PREFIX .. 'p:' .. group, user)
  went(group, user)
end
publish_counts()
return answer
