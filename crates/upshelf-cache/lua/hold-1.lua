-- Prolongs a lease that is still the caller's.
-- KEYS: the lease. ARGV: its token, its life in ms. Reply: 1, or 0 when it is gone.
local lease = redis.call('GET', KEYS[1])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
