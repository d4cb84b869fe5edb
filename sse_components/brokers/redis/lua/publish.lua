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

local function append(name, seq, last, event)
  local key = PREFIX .. 'h:' .. name
  if not last then
    last = 0
    redis.call('DEL', key)  -- of an epoch before, whose ids might be greater
  end
  local s, previous = text(seq), text(last)
  redis.call('HSET', PREFIX .. 'g:' .. name, 'e', epoch, 's', s)
  if size > 0 then
    redis.call('XADD', key, 'MAXLEN', size, s .. '-0', 'p', previous, 'd', event)
    expire(key, history + ahead)
  end
  redis.call('PUBLISH', PREFIX .. 'c:' .. name, epoch .. ' ' .. s .. ' ' .. previous .. '\n' .. event)
end

local answer = { 'ok', epoch }
for i = 8, #ARGV, 2 do
  local group, event = ARGV[i], ARGV[i + 1]
  append(group, seq, (remembered(group, epoch)), event)
  expire(PREFIX .. 'g:' .. group, memory + ahead)
  local parent = string.match(group, '^(.*)%.[^.]*$')
  if parent then
    local last, noted = remembered(parent .. '.*', epoch)
    if last and noted >= present - memory then
      append(parent .. '.*', seq, last, event)
    end
  end
  answer[#answer + 1] = text(seq)
  present = seq
  seq = seq + 1
end
keep(epoch, present)

if call then
  local age = tonumber(ARGV[7])
  redis.call('HSET', call, 'until', text(present + age), 'fingerprint', ARGV[6], 'answer', cjson.encode(answer))
  expire(call, age + ahead)
end
return answer
