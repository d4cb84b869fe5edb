-- Read whether users are online.
-- ARGV: new epoch, how long it is known when a user was online; then the users
-- -> {epoch, present, {"connections since" or '', last seen or ''...}}
local epoch, present = tick(ARGV[1])
keep(epoch, present)

local rows = {}
for i = 3, #ARGV do
  local online = redis.call('HGET', PREFIX .. 'p:presence.users', ARGV[i])
  local seen = not online and redis.call('GET', PREFIX .. 'l:' .. ARGV[i])
  if seen and tonumber(seen) < present - tonumber(ARGV[2]) then
    seen = nil
  end
  rows[#rows + 1] = online or ''
  rows[#rows + 1] = seen or ''
end
return { epoch, text(present), rows }
