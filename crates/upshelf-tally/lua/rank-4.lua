-- Reads how many stand before a thing.
-- KEYS: the list, its details, its state, what was removed. ARGV: id.
-- Reply: nil while the list is not complete; else the rank, or -1 when it is not listed.
if redis.call('HGET', KEYS[3], 'complete') ~= '1' then return nil end
if redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[4]) ~= redis.call('HLEN', KEYS[2]) then return nil end
return redis.call('ZREVRANK', KEYS[1], ARGV[1]) or -1
