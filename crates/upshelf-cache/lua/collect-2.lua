-- Removes a member of an invalidated tag, unless it was stored since.
-- KEYS: the value, its meta. ARGV: the tag's new token. Reply: how many keys were removed.
local meta = redis.call('GET', KEYS[2])
if meta and string.find(meta, ARGV[1], 1, true) then return 0 end
return redis.call('UNLINK', KEYS[1], KEYS[2])
