-- Takes the lease of a key from whoever has it, for a value that is at hand.
-- KEYS: the lease. ARGV: the new token, its life in ms. Reply: the server's time in µs.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
return time[1] * 1000000 + time[2]
