-- Puts dead letters back in line, each behind what waits of its call.
--   KEYS: dead, calls, open, kept
--   ARGV: prefix of the queues, then ids
-- Answers how many there were.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local n = 0
for i = 2, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if found[1] then
    local f = {}
    for j = 1, #found[1][2], 2 do
      f[found[1][2][j]] = found[1][2][j + 1]
    end
    local entry = 'd' .. ARGV[i]
    redis.call('HSET', KEYS[4], entry, f.e)
    redis.call('RPUSH', ARGV[1] .. f.c, entry)
    redis.call('ZADD', KEYS[3], now, entry)
    redis.call('ZADD', KEYS[2], 'NX', now, f.c)
    redis.call('XDEL', KEYS[1], ARGV[i])
    n = n + 1
  end
end
return n
