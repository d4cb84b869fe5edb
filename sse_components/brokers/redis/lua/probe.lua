-- Announce the present to one process, behind all that was announced before.
-- ARGV: new epoch, the process's channel -> {epoch, present, who heard it}
local epoch, present = tick(ARGV[1])
keep(epoch, present)
local heard = redis.call('PUBLISH', PREFIX .. 'w:' .. ARGV[2], epoch .. ' ' .. text(present))
return { epoch, text(present), heard }
