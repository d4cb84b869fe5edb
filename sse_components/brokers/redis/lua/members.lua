-- Read who is in a group.
-- ARGV: new epoch, the group -> {epoch, present, {user, "connections since"...}}
local epoch, present = tick(ARGV[1])
keep(epoch, present)
return { epoch, text(present), redis.call('HGETALL', PREFIX .. 'p:' .. ARGV[2]) }
