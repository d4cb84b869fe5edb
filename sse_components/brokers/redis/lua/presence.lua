-- What the scripts share that change who is where.
-- ARGV: new epoch, history's size and age, memory of names; how long a lease and the grace
-- are, how long it is known when a user was online; the members of a group that isn't
-- large yet, how far apart its counts are, how many counts a call publishes; then what
-- the script has of its own
local lease, grace, last_seen_age = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local large, count_pause, counts_at_once = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local OWN = 11
local ONLINE = 'presence.users'
local TIDY = 3600000000  -- when what is over may be dropped, should nobody do it before

local epoch, present, ahead, seq = tick(ARGV[1])
local publish = publisher(tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), epoch, present, ahead, seq)
local now, start = present - ahead, text(present)
keep(epoch, present)

local answer = { epoch }  -- of each transition type, group, user, seq, last seen or ''

-- Return a text as `wire.dumps` writes it.
local SHORT = { ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t' }
local function json(plain)
  return '"' .. string.gsub(plain, '[%z\1-\31"\\]', function(character)
    return SHORT[character] or string.format('\\u%04x', string.byte(character))
  end) .. '"'
end

-- Return a seq as the moment it stands for, as events have it in their `ts`. The date is
-- H. Hinnant's civil_from_days: years that begin in March have their leap day last.
local function time(seq)
  local microseconds = math.fmod(seq, 1000000)
  local seconds = (seq - microseconds) / 1000000
  local second = math.fmod(seconds, 86400)
  local day = (seconds - second) / 86400 + 719468  -- since 0000-03-01
  local era = math.floor(day / 146097)  -- of 400 years
  day = day - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)  -- since March
  day = day - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = era * 400 + year + (month < 3 and 1 or 0)
  local hour, minute = math.floor(second / 3600), math.floor(second / 60) % 60
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day, hour, minute, second % 60, microseconds)
end

local function announce(group, type, payload)
  local seq = publish(group, group .. '\n' .. type .. '\n\n' .. payload)
  keep(epoch, seq)
  return text(seq)
end

local function tell(type, group, user, more, last_seen)
  local seq = announce(group, type, '{"user":' .. json(user) .. more .. '}')
  for _, part in ipairs({ type, group, user, seq, last_seen or '' }) do
    answer[#answer + 1] = part
  end
end

-- Whether a group is only counted; it may have become so just now.
local function is_large(group)
  local key = PREFIX .. 'k:' .. group
  if group == ONLINE then
    return false
  elseif redis.call('HEXISTS', key, 'l') == 1 then
    return true
  elseif redis.call('HLEN', PREFIX .. 'p:' .. group) <= large then
    return false
  end
  redis.call('HSET', key, 'l', '1')
  redis.call('PERSIST', key)
  return true
end

local function count_soon(group)
  local last = tonumber(redis.call('HGET', PREFIX .. 'k:' .. group, 'c') or '0')
  redis.call('ZADD', PREFIX .. 'd', 'NX', text(math.max(now, last + count_pause)), group)
end

-- Publish the counts that are due; the groups may be small again then.
local function publish_counts()
  for _, group in ipairs(redis.call('ZRANGEBYSCORE', PREFIX .. 'd', '-inf', text(now), 'LIMIT', 0, counts_at_once)) do
    local key, members = PREFIX .. 'k:' .. group, redis.call('HLEN', PREFIX .. 'p:' .. group)
    announce(group, 'presence.count', '{"members":' .. text(members) .. '}')
    redis.call('ZREM', PREFIX .. 'd', group)
    redis.call('HSET', key, 'c', text(now))
    if members <= math.floor(large * 9 / 10) then
      redis.call('HDEL', key, 'l')
      expire(key, TIDY)
    end
  end
end

local function came(group, user, silent)
  if is_large(group) then
    if not silent then
      count_soon(group)
    end
  elseif not silent then
    if group == ONLINE then
      tell('presence.online', group, user, ',"last_seen":null')
    else
      tell('presence.join', group, user, '')
    end
  end
end

local function went(group, user)
  if is_large(group) then
    count_soon(group)
  elseif group == ONLINE then
    local seen = redis.call('GET', PREFIX .. 'l:' .. user)
    local known = seen and '"' .. time(tonumber(seen)) .. '"' or 'null'
    tell('presence.offline', group, user, ',"last_seen":' .. known, seen)
  else
    tell('presence.leave', group, user, '')
  end
end

-- Add to a user's connections in a group; return whether the user came.
local function change(group, user, by, grace, seen)
  local key, entry = PREFIX .. 'p:' .. group, group .. '\0' .. user
  local known = redis.call('HGET', key, user)
  local connections, since = string.match(known or '0 ' .. start, '^(%d+) (%d+)$')
  local total = connections + by
  redis.call('HSET', key, user, text(total) .. ' ' .. since)
  if total == 0 then
    redis.call('ZADD', PREFIX .. 'q', text(now + grace), entry)
    if group == ONLINE then
      redis.call('SET', PREFIX .. 'l:' .. user, seen)
      expire(PREFIX .. 'l:' .. user, last_seen_age + ahead)
    end
  elseif known and connections == '0' then
    redis.call('ZREM', PREFIX .. 'q', entry)
  end
  return not known
end

local function hear(group, by)
  local total = redis.call('HINCRBY', PREFIX .. 's', group, by)
  if total == 0 then
    redis.call('HDEL', PREFIX .. 's', group)
    redis.call('ZREM', PREFIX .. 'z', group)
  else
    redis.call('ZADD', PREFIX .. 'z', 0, group)
  end
end

-- Forget some of what a node has reported; return how much, and whether that was all.
local function withdraw(node, limit, grace, seen)
  local key = PREFIX .. 'n:' .. node
  local most = limit + 3  -- as what isn't reported may be among them
  local fields = redis.call('HRANDFIELD', key, most, 'WITHVALUES')
  local done = 0
  for i = 1, #fields, 2 do
    local kind, name = string.match(fields[i], '^([ms])(.*)$')
    if kind == 'm' then
      local group, user = string.match(name, '^(%Z*)%z(.*)$')
      change(group, user, -fields[i + 1], grace, seen)
    elseif kind == 's' then
      hear(name, -fields[i + 1])
    end
    if kind then
      redis.call('HDEL', key, fields[i])
      done = done + 1
    end
  end
  if #fields == 2 * most then
    return done, false
  end
  redis.call('DEL', key)
  redis.call('ZREM', PREFIX .. 'n', node)
  return done, true
end
