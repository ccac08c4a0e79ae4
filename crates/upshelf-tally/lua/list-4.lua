-- Lists things with their counts, unless they were removed; an older version changes nothing.
-- KEYS: the list, its details (id -> `version up down`, with a minus behind it for what was removed), its state, what was
-- removed and when.
-- ARGV: epoch, life in ms, what else (complete: nothing competes but these and what is listed; known: only those that are
-- listed or removed), then id, up, down, score, version for each.
-- Reply: the board's epoch; when it is another than the caller's, nothing was done.
local epoch = redis.call('HGET', KEYS[3], 'epoch')
if epoch ~= ARGV[1] then return epoch end
for at = 4, #ARGV, 5 do
  local id, score, known = ARGV[at], ARGV[at + 3], redis.call('HGET', KEYS[2], ARGV[at])
  if known or ARGV[3] ~= 'known' then
    local removed = known and string.sub(known, -1) == '-'
    local version, up, down = string.match(known or '', '^(%d+) (%d+) (%d+)')
    local is_newer = not known or tonumber(version) < tonumber(ARGV[at + 4])
    if is_newer then
      local details = ARGV[at + 4] .. ' ' .. ARGV[at + 1] .. ' ' .. ARGV[at + 2]
      redis.call('HSET', KEYS[2], id, removed and details .. '-' or details)
    else
      score = up - down
    end
    if not removed and (is_newer or not redis.call('ZSCORE', KEYS[1], id)) then redis.call('ZADD', KEYS[1], score, id) end
  end
end
if ARGV[3] == 'complete' then redis.call('HSET', KEYS[3], 'complete', 1) end
for at = 1, 4 do redis.call('PEXPIRE', KEYS[at], ARGV[2]) end
return epoch
