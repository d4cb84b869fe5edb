-- The one clock of all processes: the server's, in microseconds since 1970.
local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
