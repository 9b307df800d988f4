#!lua flags=allow-oom
-- A lease that at most one owner holds.
--   KEYS: lease (a string that expires), epoch
--   ARGV: acquire|renew|release, owner, ms, epoch (not for acquire)
-- Answers the epoch, or 0 if the owner does not have it. The epoch only grows,
-- even when the data of this server was lost: it is at least the time in µs.
local what, owner = ARGV[1], ARGV[2]
local held = redis.call('GET', KEYS[1])
if what == 'acquire' then
  if held then
    return 0
  end
  local t = redis.call('TIME')
  local now = t[1] * 1000000 + t[2]
  local epoch = math.max((tonumber(redis.call('GET', KEYS[2]) or '0')) + 1, now)
  redis.call('SET', KEYS[2], string.format('%.0f', epoch))
  redis.call('SET', KEYS[1], owner .. ' ' .. string.format('%.0f', epoch), 'PX', ARGV[3])
  return epoch
end
if held ~= owner .. ' ' .. ARGV[4] then
  return 0
end
if what == 'renew' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return tonumber(ARGV[4])
