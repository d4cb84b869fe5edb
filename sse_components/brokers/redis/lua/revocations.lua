-- Read the revocations whose time ends after a moment; the next call goes on from theirs.
-- ARGV: new epoch, the moment, about how many
-- -> {epoch, the next moment or '', {subject and pattern in lines, seq...}}
local key, most = PREFIX .. 'v:u', tonumber(ARGV[3])
local epoch, present = tick(ARGV[1])
keep(epoch, present)

local after = '(' .. text(math.max(present, tonumber(ARGV[2])))
local found = redis.call('ZRANGEBYSCORE', key, after, '+inf', 'LIMIT', 0, most)
local rows, moment = {}, ''
local function add(revocation)
  rows[#rows + 1] = revocation
  rows[#rows + 1] = redis.call('HGET', PREFIX .. 'v:s', revocation)
end

for _, revocation in ipairs(found) do
  add(revocation)
end
if #found == most then
  moment = redis.call('ZSCORE', key, found[most])
  -- Others may end at the same moment, and the next call begins after it.
  for _, revocation in ipairs(redis.call('ZRANGEBYSCORE', key, moment, moment)) do
    add(revocation)
  end
end
return { epoch, moment, rows }
