-- Note patterns, so that publishers feed them; those noted already stay so for longer.
-- ARGV: new epoch, memory of names; then the patterns
-- -> {epoch, present, how many weren't noted}
local memory = tonumber(ARGV[2])
local epoch, present, ahead = tick(ARGV[1])
keep(epoch, present)

local fresh = 0
for i = 3, #ARGV do
  local key = PREFIX .. 'g:' .. ARGV[i]
  local last, noted = remembered(ARGV[i], epoch)
  if not last or noted < present - memory then
    redis.call('DEL', PREFIX .. 'h:' .. ARGV[i])
    redis.call('HSET', key, 'e', epoch, 's', text(present))
    fresh = fresh + 1
  end
  redis.call('HSET', key, 'n', text(present))
  expire(key, memory + ahead)
end
return { epoch, text(present), fresh }
