-- Stores a value if nothing has killed its lease, and gives the lease back.
-- KEYS: the value, its meta, its lease. ARGV: the lease's token, the value, the meta, their life in ms.
-- Reply: 0 when the lease is dead, 1 when it is stored, 2 when it is stored and somebody waits for it.
local lease = redis.call('GET', KEYS[3])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('DEL', KEYS[3])
return lease == ARGV[1] and 1 or 2
