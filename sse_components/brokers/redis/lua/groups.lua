-- Read which names have subscribers, in order.
-- ARGV: between what they are, as ZRANGEBYLEX has it; how many at most
-- -> {name, subscribers...}
local rows = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', PREFIX .. 'z', ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
  rows[#rows + 1] = name
  rows[#rows + 1] = redis.call('HGET', PREFIX .. 's', name)
end
return rows
