-- Adds events of one writer to the stream, each exactly once.
--   KEYS: stream, hash of writers
--   ARGV: writer, index up to which the caller believes we have it,
--         then for each event: index, id, kind, order key, JSON
-- Answers the index held before and after. If that is less than the caller
-- believes, we have lost something and add nothing, so that it can send again
-- from there.
local before = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if before < tonumber(ARGV[2]) then
  return {before, before}
end
local after, failed = before, nil
for i = 3, #ARGV, 5 do
  local index = tonumber(ARGV[i])
  if index > after then
    local added = redis.pcall('XADD', KEYS[1], '*', 'i', ARGV[i + 1], 'k', ARGV[i + 2], 'c', ARGV[i + 3], 'e', ARGV[i + 4])
    if type(added) == 'table' and added.err then
      failed = added
      break
    end
    after = index
  end
end
if after > before then
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', after))
end
if failed then
  return failed
end
return {before, after}
