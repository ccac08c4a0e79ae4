-- Puts what was removed back on the list, with these counts or newer ones that are known.
-- KEYS: the list, its details, its state, what was removed and when.
-- ARGV: epoch, life in ms, id, up, down, score, version.
-- Reply: the board's epoch; when it is another than the caller's, nothing was done.
local epoch = redis.call('HGET', KEYS[3], 'epoch')
if epoch ~= ARGV[1] then return epoch end
local details, score = ARGV[7] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5], ARGV[6]
local version, up, down = string.match(redis.call('HGET', KEYS[2], ARGV[3]) or '', '^(%d+) (%d+) (%d+)')
if version and tonumber(version) >= tonumber(ARGV[7]) then
  details, score = version .. ' ' .. up .. ' ' .. down, up - down
end
redis.call('HSET', KEYS[2], ARGV[3], details)
redis.call('ZADD', KEYS[1], score, ARGV[3])
redis.call('ZREM', KEYS[4], ARGV[3])
for at = 1, 4 do redis.call('PEXPIRE', KEYS[at], ARGV[2]) end
return epoch
