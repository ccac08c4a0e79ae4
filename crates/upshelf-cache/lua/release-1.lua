-- Gives a lease back.
-- KEYS: the lease. ARGV: its token. Reply: 1 when somebody waits for it, else 0.
local lease = redis.call('GET', KEYS[1])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
redis.call('DEL', KEYS[1])
return lease == ARGV[1] and 0 or 1
