-- Store, number and announce events in order, unless the same call has done so before.
-- ARGV: new epoch, history's size and age, memory of names; idempotency key or '', its
-- fingerprint and age; then a group and an event for each
-- -> {'ok' | 'duplicate', epoch, seq...} | {'conflict'}
local size, history, memory = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, present, ahead, seq = tick(ARGV[1])
local call = ARGV[5] ~= '' and PREFIX .. 'i:' .. ARGV[5]

if call then
  local known = redis.call('HMGET', call, 'until', 'fingerprint', 'answer')
  if known[1] and tonumber(known[1]) >= present then
    if known[2] ~= ARGV[6] then
      return { 'conflict' }
    end
    local answer = cjson.decode(known[3])
    answer[1] = 'duplicate'
    return answer
  end
end

local publish = publisher(size, history, memory, epoch, present, ahead, seq)
local answer = { 'ok', epoch }
for i = 8, #ARGV, 2 do
  present = publish(ARGV[i], ARGV[i + 1])
  answer[#answer + 1] = text(present)
end
keep(epoch, present)

if call then
  local age = tonumber(ARGV[7])
  redis.call('HSET', call, 'until', text(present + age), 'fingerprint', ARGV[6], 'answer', cjson.encode(answer))
  expire(call, age + ahead)
end
return answer
