-- Says the epoch of the board; begins a new one, with nothing on the list, in a new life of the server or when told to.
-- KEYS: the list, its details, its state, what was removed and when. ARGV: the life, its own life in ms, 1 to begin anyway.
-- Reply: the epoch, and 1 when it was begun now, else 0.
local known = redis.call('HMGET', KEYS[3], 'life', 'epoch')
if ARGV[3] ~= '1' and known[1] == ARGV[1] and known[2] then return {known[2], 0} end
local time = redis.call('TIME')
local epoch = time[1] * 1000000 + time[2]
-- Epochs grow also where the clock is set back.
if known[2] and tonumber(known[2]) >= epoch then epoch = tonumber(known[2]) + 1 end
epoch = string.format('%.0f', epoch)
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[3], 'life', ARGV[1], 'epoch', epoch)
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return {epoch, 1}
