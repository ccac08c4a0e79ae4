-- Reads the best of the list, best first; of equal scores the greater id first.
-- KEYS: the list, its details, its state, what was removed. ARGV: how many.
-- Reply: nil while the list is not complete; else id and details of each, one after the other.
if redis.call('HGET', KEYS[3], 'complete') ~= '1' then return nil end
-- Whatever takes a key away takes a part of the truth away.
if redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[4]) ~= redis.call('HLEN', KEYS[2]) then return nil end
local top = {}
if ARGV[1] == '0' then return top end
for at, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  top[2 * at - 1], top[2 * at] = id, redis.call('HGET', KEYS[2], id)
  if not top[2 * at] then return nil end
end
return top
