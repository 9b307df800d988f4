-- Says what became of the first entries of a claimed call, unless the claim
-- has been lost to somebody else.
--   KEYS: stream, calls, open, claims, tries, kept, why, dead
--   ARGV: 1 call, 2 token, 3 what: done, dead, retry or free (a retry that
--         was no try), 4 ms until the retry, 5 reason, 6 claim for ms,
--         7 most entries of the call to go on with, 8 prefix of the queues,
--         9... the entries: any number are done together, one has any other
--         fate; if the first is not the first any more this was said before
-- Answers {0} if the claim is lost, else {1} or
-- {1, number of the next try, {entry, JSON or false}...}.
local stream, calls, open, claims, tries, kept, why, dead = unpack(KEYS)
local call, token, what = ARGV[1], ARGV[2], ARGV[3]
local queue = ARGV[8] .. call
if redis.call('HGET', claims, call) ~= token then
  return {0}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

if what == 'retry' or what == 'free' then
  redis.call('HDEL', claims, call)
  redis.call('ZADD', calls, now + tonumber(ARGV[4]), call)
  redis.call('HSET', why, call, ARGV[5])
  if what == 'free' then
    redis.call('HINCRBY', tries, call, -1)
  end
  return {1}
end

local most = tonumber(ARGV[7])
local first = redis.call('LINDEX', queue, 0)
if first and first ~= ARGV[9] then
  return hand({1, tonumber(redis.call('HGET', tries, call) or '1')}, stream, kept, queue, most)
end
if what == 'dead' then
  redis.call('XADD', dead, '*', 'c', call, 'e', fields(stream, kept, ARGV[9]).e or '', 'r', ARGV[5],
    'n', redis.call('HGET', tries, call) or '0', 'id', ARGV[9])
end
for i = 9, #ARGV do
  redis.call('LREM', queue, 1, ARGV[i])
  redis.call('ZREM', open, ARGV[i])
  redis.call('HDEL', kept, ARGV[i])
end
redis.call('HDEL', tries, call)
redis.call('HDEL', why, call)
if redis.call('EXISTS', queue) == 0 then
  redis.call('ZREM', calls, call)
  redis.call('HDEL', claims, call)
  return {1}
end
if most == 0 then
  redis.call('HDEL', claims, call)
  redis.call('ZADD', calls, now, call)
  return {1}
end
redis.call('ZADD', calls, now + tonumber(ARGV[6]), call)
return hand({1, redis.call('HINCRBY', tries, call, 1)}, stream, kept, queue, most)
