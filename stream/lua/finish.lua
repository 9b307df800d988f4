#!lua flags=allow-oom
-- Says what became of the first entry of a claimed call, unless the claim has
-- been lost to somebody else.
--   KEYS: stream, calls, open, claims, tries, kept, why, dead
--   ARGV: 1 call, 2 token, 3 what: done, dead, retry or free (a retry that
--         was no try), 4 ms until the retry, 5 reason, 6 claim for ms,
--         7 1 to go on with the next entry of the call, 8 prefix of the queues,
--         9 the entry; if it is not the first any more this was said before
-- Answers {0} if the claim is lost, else {1} or
-- {1, next entry, its JSON or false, number of its try}.
local stream, calls, open, claims, tries, kept, why, dead = unpack(KEYS)
local call, token, what = ARGV[1], ARGV[2], ARGV[3]
local queue = ARGV[8] .. call
if redis.call('HGET', claims, call) ~= token then
  return {0}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function fields(entry)
  if string.sub(entry, 1, 1) == 'd' then
    return {e = redis.call('HGET', kept, entry)}
  end
  local f, found = {}, redis.call('XRANGE', stream, entry, entry)
  if found[1] then
    for i = 1, #found[1][2], 2 do
      f[found[1][2][i]] = found[1][2][i + 1]
    end
  end
  return f
end

if what == 'retry' or what == 'free' then
  redis.call('HDEL', claims, call)
  redis.call('ZADD', calls, now + tonumber(ARGV[4]), call)
  redis.call('HSET', why, call, ARGV[5])
  if what == 'free' then
    redis.call('HINCRBY', tries, call, -1)
  end
  return {1}
end

local entry = ARGV[9]
local first = redis.call('LINDEX', queue, 0)
if first and first ~= entry then
  return {1, first, fields(first).e or false, tonumber(redis.call('HGET', tries, call) or '1')}
end
if what == 'dead' then
  redis.call('XADD', dead, '*', 'c', call, 'e', fields(entry).e or '', 'r', ARGV[5],
    'n', redis.call('HGET', tries, call) or '0', 'id', entry)
end
redis.call('LPOP', queue)
redis.call('ZREM', open, entry)
redis.call('HDEL', tries, call)
redis.call('HDEL', why, call)
redis.call('HDEL', kept, entry)
local following = redis.call('LINDEX', queue, 0)
if not following then
  redis.call('ZREM', calls, call)
  redis.call('HDEL', claims, call)
  return {1}
end
if ARGV[7] ~= '1' then
  redis.call('HDEL', claims, call)
  redis.call('ZADD', calls, now, call)
  return {1}
end
redis.call('ZADD', calls, now + tonumber(ARGV[6]), call)
return {1, following, fields(following).e or false, redis.call('HINCRBY', tries, call, 1)}
