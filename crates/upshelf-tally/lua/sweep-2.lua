-- Forgets counts of an earlier epoch.
-- KEYS: the counts, their epoch. ARGV: the epoch. Reply: how many keys were removed.
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[1]) then return 0 end
return redis.call('UNLINK', KEYS[1], KEYS[2])
