-- Note a revocation and announce it.
-- ARGV: new epoch, for how long; the subject and the pattern, in lines -> {epoch, seq}
local key = ARGV[3]
local epoch, present, ahead, seq = tick(ARGV[1])
keep(epoch, seq)

for _, old in ipairs(redis.call('ZRANGEBYSCORE', PREFIX .. 'v:u', '-inf', text(present), 'LIMIT', 0, 1000)) do
  redis.call('ZREM', PREFIX .. 'v:u', old)
  redis.call('HDEL', PREFIX .. 'v:s', old)
end

local known = tonumber(redis.call('ZSCORE', PREFIX .. 'v:u', key) or '0')
redis.call('ZADD', PREFIX .. 'v:u', text(math.max(known, seq + tonumber(ARGV[2]))), key)
redis.call('HSET', PREFIX .. 'v:s', key, text(seq))
local last = tonumber(redis.call('ZRANGE', PREFIX .. 'v:u', -1, -1, 'WITHSCORES')[2])
expire(PREFIX .. 'v:u', last - present + ahead)
expire(PREFIX .. 'v:s', last - present + ahead)
redis.call('PUBLISH', PREFIX .. 'v', epoch .. ' ' .. text(seq) .. '\n' .. key)
return { epoch, text(seq) }
