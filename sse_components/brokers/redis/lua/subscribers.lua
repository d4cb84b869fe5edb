-- Read how many connections hear each of some groups.
-- ARGV: the groups -> {subscribers...}
local rows = {}
for i, group in ipairs(ARGV) do
  rows[i] = tonumber(redis.call('HGET', PREFIX .. 's', group) or '0')
end
return rows
