-- Adds events of one writer to the stream, each exactly once.
--   KEYS: stream, hash of writers
--   ARGV: writer, index up to which the caller believes we have it,
--         the writer before it and the same of that ('' and 0 if none),
--         then for each event: index, id, kind, order key, JSON
-- Answers the index held afterwards; or false, having added nothing, if we have
-- less than the caller believes, so that it can send again from there.
local function held(writer)
  return tonumber(redis.call('HGET', KEYS[2], writer) or '0')
end
local before = held(ARGV[1])
if before < tonumber(ARGV[2]) or held(ARGV[3]) < tonumber(ARGV[4]) then
  return false
end
local after, failed = before, nil
for i = 5, #ARGV, 5 do
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
return after
