-- Read the oldest events of a group that are remembered.
-- ARGV: new epoch, history's age, the group, at most how many events
-- -> {epoch, present, more, {seq, event...}}
local limit = tonumber(ARGV[4])
local epoch, present = tick(ARGV[1])
keep(epoch, present)

local rows, more = {}, 0
if remembered(ARGV[3], epoch) then
  local first = text(math.max(present - tonumber(ARGV[2]), 0))
  local found = redis.call('XRANGE', PREFIX .. 'h:' .. ARGV[3], first, '+', 'COUNT', limit + 1)
  if #found > limit then
    table.remove(found)
    more = 1
  end
  for i, row in ipairs(found) do
    rows[2 * i - 1], rows[2 * i] = string.match(row[1], '^%d+'), row[2][4]
  end
end
return { epoch, text(present), more, rows }
