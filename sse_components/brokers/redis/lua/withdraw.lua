-- Forget some of what a node has reported, of which nothing is taken in from here on.
-- ARGV: as all of presence; the node, the grace, about how much -> whether that was all
local node, grace = ARGV[OWN], tonumber(ARGV[OWN + 1])
if not redis.call('ZSCORE', PREFIX .. 'n', node) then
  return 1
end
local _, all = withdraw(node, tonumber(ARGV[OWN + 2]), grace, start)
if not all then
  redis.call('ZADD', PREFIX .. 'n', 0, node)  -- so that the next sweep does the rest
  redis.call('HSET', PREFIX .. 'n:' .. node, 'g', text(grace), 'l', start)
end
return all and 1 or 0
