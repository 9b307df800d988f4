#!lua flags=allow-oom
-- What take and finish have in common; it stands before each of them.

-- The fields of an entry; of a dead letter that is replayed, its JSON alone.
local function fields(stream, kept, entry)
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

-- Puts the first entries of a queue into an answer, each with its JSON, or
-- false if it has left the stream.
local function hand(answer, stream, kept, queue, most)
  for _, entry in ipairs(redis.call('LRANGE', queue, 0, most - 1)) do
    answer[#answer + 1] = entry
    answer[#answer + 1] = fields(stream, kept, entry).e or false
  end
  return answer
end
