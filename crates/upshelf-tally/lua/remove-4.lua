-- Takes a thing off the list for good, and forgets what was removed an hour ago: no write is as late as that.
-- KEYS: the list, its details, its state, what was removed and when. ARGV: epoch, life in ms, id.
-- Reply: the board's epoch; when it is another than the caller's, nothing was done.
local epoch = redis.call('HGET', KEYS[3], 'epoch')
if epoch ~= ARGV[1] then return epoch end
local known = redis.call('HGET', KEYS[2], ARGV[3]) or '0 0 0'
redis.call('ZREM', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3], string.sub(known, -1) == '-' and known or known .. '-')
local now = tonumber(redis.call('TIME')[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - 3600, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[4], id)
  redis.call('HDEL', KEYS[2], id)
end
redis.call('ZADD', KEYS[4], now, ARGV[3])
for at = 1, 4 do redis.call('PEXPIRE', KEYS[at], ARGV[2]) end
return epoch
