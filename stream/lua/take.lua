-- Deals new entries of the stream out to the calls they belong to, and claims
-- calls that are due. Everything a group has to do lies in its own keys, so
-- nothing waits in the pending list of the stream.
--   KEYS: stream, calls, open, seen, claims, tries, kept, state
--   ARGV: 1 group, 2 id to begin at, 3 most entries to deal, 4 most open
--         entries, 5 most calls to claim, 6 claim for ms, 7 token,
--         8 remember ms, 9 remember most, 10 prefix of the queues,
--         11 most entries of a call to hand out,
--         12... kinds that are wanted; none: all
-- calls:  call -> when it is due, ms; while claimed, when the claim ends
-- open:   entry -> ms of its id, for every entry not done with
-- queues: entries of one call, in order
-- Answers: {entries dealt, last id dealt, 1 if there is no room for more,
--           ms until the next call is due or -1,
--           {call, token, number of this try, 1 if abandoned, {entry, JSON or false}...}...}
local stream, calls, open, seen, claims, tries, kept, state = unpack(KEYS)
local group, begin, prefix = ARGV[1], ARGV[2], ARGV[10]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local kinds = nil
for i = 12, #ARGV do
  kinds = kinds or {}
  kinds[ARGV[i]] = true
end

local function read(n)
  return redis.pcall('XREADGROUP', 'GROUP', group, 'markaz', 'COUNT', n, 'NOACK', 'STREAMS', stream, '>')
end

local function deal(entry)
  local id, f = entry[1], {}
  for i = 1, #entry[2], 2 do
    f[entry[2][i]] = entry[2][i + 1]
  end
  -- An error here would lose what was read: nothing below may fail.
  if not (f.i and f.k and f.c and f.e) or kinds and not kinds[f.k] then
    return
  end
  if redis.call('ZADD', seen, 'NX', now, f.i) == 0 then
    return
  end
  redis.call('RPUSH', prefix .. f.c, id)
  redis.call('ZADD', open, string.match(id, '^%d+'), id)
  redis.call('ZADD', calls, 'NX', now, f.c)
end

local dealt, full = 0, 0
local room = tonumber(ARGV[4]) - redis.call('ZCARD', open)
if room <= 0 then
  full = 1
else
  local got = read(math.min(room, tonumber(ARGV[3])))
  if got and got.err and string.find(got.err, 'NOGROUP', 1, true) then
    redis.call('XGROUP', 'CREATE', stream, group, begin, 'MKSTREAM')
    redis.call('HSET', state, 'last', begin)
    -- Dealing comes with the next run: healing (heal.lua) undoes what was half
    -- said only to groups that were there before.
    return {0, begin, 0, 0}
  end
  if got and got.err then
    return got
  end
  if got then
    local entries = got[1][2]
    dealt = #entries
    for _, entry in ipairs(entries) do
      deal(entry)
    end
    redis.call('HSET', state, 'last', entries[dealt][1])
    redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - tonumber(ARGV[8]))
    redis.call('ZREMRANGEBYRANK', seen, 0, -1 - tonumber(ARGV[9]))
  end
end

local answer = {dealt, redis.call('HGET', state, 'last') or begin, full, -1}
for _, call in ipairs(redis.call('ZRANGEBYSCORE', calls, '-inf', now, 'LIMIT', 0, tonumber(ARGV[5]))) do
  if redis.call('EXISTS', prefix .. call) == 1 then
    local abandoned = redis.call('HEXISTS', claims, call)
    redis.call('ZADD', calls, now + tonumber(ARGV[6]), call)
    redis.call('HSET', claims, call, ARGV[7])
    answer[#answer + 1] = hand({call, ARGV[7], redis.call('HINCRBY', tries, call, 1), abandoned},
      stream, kept, prefix .. call, tonumber(ARGV[11]))
  else
    redis.call('ZREM', calls, call)
  end
end
local first = redis.call('ZRANGE', calls, 0, 0, 'WITHSCORES')
if first[2] then
  answer[4] = math.max(0, tonumber(first[2]) - now)
end
return answer
