-- Read what lies between a cursor and the present of some names.
-- ARGV: new epoch, history's age, memory of names; the cursor's epoch and seq, at most
-- how many events; then the names
-- -> {epoch, present, usable, more, {lost name, newest seq...},
--    {seq, event...}, {of each name the newest seq, or ''...}}
local history, memory = tonumber(ARGV[2]), tonumber(ARGV[3])
local cursor, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local epoch, present = tick(ARGV[1])
keep(epoch, present)

local newest = {}  -- of each name, false if none is remembered
for i = 7, #ARGV do
  local last, noted = remembered(ARGV[i], epoch)
  if is_pattern(ARGV[i]) and not (last and noted >= present - memory) then
    last = nil  -- whatever it had, publishers feed it no more
  end
  newest[#newest + 1] = last or false
end

local function newest_seqs()
  local seqs = {}
  for i, last in ipairs(newest) do
    seqs[i] = last and text(last) or ''
  end
  return seqs
end

if ARGV[4] ~= epoch or cursor > present or cursor < present - memory then
  return { epoch, text(present), 0, 0, {}, {}, newest_seqs() }
end

local seqs, events = {}, {}  -- the seqs ascending, events by seq: one may have two names
local horizon, more = '+', 0
local after = '(' .. text(cursor)

local function seq_of(row)
  return string.match(row[1], '^%d+')
end

-- Whether the history of a name reaches back to the cursor.
local function is_whole(name)
  local first = redis.call('XRANGE', PREFIX .. 'h:' .. name, after, '+', 'COUNT', 1)[1]
  return first and tonumber(first[2][2]) <= cursor and tonumber(seq_of(first)) >= present - history
end

local function collect(name)
  local rows = redis.call('XRANGE', PREFIX .. 'h:' .. name, after, horizon, 'COUNT', limit + 1)
  for _, row in ipairs(rows) do
    local seq = seq_of(row)
    if not events[seq] then
      events[seq] = row[2][4]
      seqs[#seqs + 1] = seq
    end
  end
  table.sort(seqs)  -- all have as many digits
  while #seqs > limit do
    events[table.remove(seqs)] = nil
    more = 1
  end
  if more == 1 then
    horizon = seqs[limit]  -- so that of the other names no more is read
  end
end

local lost = {}
local function lose(name, newest)
  lost[#lost + 1] = name
  lost[#lost + 1] = text(newest)
end

for i = 7, #ARGV do
  local name, last = ARGV[i], newest[i - 6]
  if is_pattern(name) and not last then
    lose(name, present)
  elseif last and last > cursor then
    if is_whole(name) then
      collect(name)
    else
      lose(name, last)
    end
  end
end

local rows = {}
for i, seq in ipairs(seqs) do
  rows[2 * i - 1], rows[2 * i] = seq, events[seq]
end
return { epoch, text(present), 1, more, lost, rows, newest_seqs() }
