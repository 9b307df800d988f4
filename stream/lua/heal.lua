#!lua flags=allow-oom
-- Meets a Redis that has just begun, before anything else writes to it: takes
-- out what the one before left half said, and fences off what may come still.
--
-- A Redis 7 that is killed while it writes the effects of a script to its
-- append-only file, MULTI ... EXEC, cuts that file after the last whole command
-- inside and runs none of them. But the MULTI stays, the next EXEC closes it,
-- and when Redis begins once more the old commands are run, before the new.
--  - Events of old would be in the stream too, under old ids. So no new event
--    gets an id up to a place after now: what lies between the last entry of
--    today and that place, the seam, was never taken and goes at the next start.
--  - Everything else that our scripts write would be changed twice: a queue
--    that lost two entries for one, or has one twice. So what is there is said
--    again, whole: run after the old commands, it undoes them.
--   KEYS: stream, writers, seams
--   ARGV: 1 most events in one run of append, 2 most entries read by one take,
--         3 most seams kept, 4 prefix of the groups, 5 prefix of their dead
--         letters, 6... names of a group's keys
-- Answers {entries taken out, entries at a seam that are too many to be what
-- was half said and stay, what kept groups from being said again or ''}
local stream, writers, seams = unpack(KEYS)
local most, page = tonumber(ARGV[1]), tonumber(ARGV[2])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function pairsOf(flat)
  local f = {}
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  return f
end

-- Only what changes something gets into the file: what is not there is made
-- first, to be deleted. The first DEL is for a user who may not delete.
local function absent(key)
  redis.call('DEL', key)
  redis.call('SET', key, '')
  redis.call('DEL', key)
end

local known = redis.call('LRANGE', seams, 0, -1)
local removed, strange = 0, 0
local exists = redis.call('EXISTS', stream) == 1
local before = exists and pairsOf(redis.call('XINFO', 'STREAM', stream)) or {}
for _, seam in ipairs(known) do
  local from, to = string.match(seam, '^(%S+) (%S+)$')
  local found = exists and redis.call('XRANGE', stream, '(' .. from, to, 'COUNT', most + 1) or {}
  if #found > most then
    strange = strange + #found
  else
    for _, entry in ipairs(found) do
      removed = removed + redis.call('XDEL', stream, entry[1])
    end
  end
end

-- The millisecond after the seam is the first that a new entry can have.
local last = before['last-generated-id'] or '0-0'
local first = math.max(now, tonumber(string.match(last, '^%d+')) + 1)
local fence = string.format('%.0f-18446744073709551615', first - 1)
if exists then
  redis.call('XSETID', stream, fence)
end
local seam = last .. ' ' .. fence
if last ~= fence then
  known[#known + 1] = seam
end
redis.call('DEL', seams)
for i = math.max(1, #known - tonumber(ARGV[3]) + 1), #known do
  redis.call('RPUSH', seams, known[i])
end

local held = redis.call('HGETALL', writers)
if #held == 0 then
  absent(writers)
else
  redis.call('DEL', writers)
  for i = 1, #held, 2 do
    redis.call('HSET', writers, held[i], held[i + 1])
  end
end

local function restate(key)
  local dump = redis.call('DUMP', key)
  if dump then
    redis.call('RESTORE', key, 0, dump, 'REPLACE')
  else
    absent(key)
  end
end

local function restateGroup(group)
  local prefix, dead = ARGV[4] .. group.name .. ':', ARGV[5] .. group.name
  local calls = {}
  for _, call in ipairs(redis.call('ZRANGE', prefix .. 'calls', 0, -1)) do
    calls[call] = true
  end
  -- The queues that the commands of old may make: of what a take would have
  -- dealt, and a replay put back.
  for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', page)) do
    calls[pairsOf(entry[2]).c or ''] = true
  end
  for _, entry in ipairs(redis.call('XRANGE', dead, '-', '+', 'COUNT', page)) do
    calls[pairsOf(entry[2]).c or ''] = true
  end
  for call in pairs(calls) do
    restate(prefix .. 'queue:' .. call)
  end
  for i = 6, #ARGV do
    restate(prefix .. ARGV[i])
  end
  restate(dead)
  local set = {'XGROUP', 'SETID', stream, group.name, group['last-delivered-id']}
  if removed == 0 and group['entries-read'] then -- else Redis counts anew, at the end of the stream
    set[6], set[7] = 'ENTRIESREAD', group['entries-read']
  end
  redis.call(unpack(set))
end

local failed = ''
if exists then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local ok, err = pcall(restateGroup, pairsOf(info))
    if not ok then
      failed = type(err) == 'table' and err.err or tostring(err)
    end
  end
end
return {removed, strange, failed}
