-- Reads how many stand before a thing.
-- KEYS: the list, its details, its state, what was removed. ARGV: epoch, id.
-- Reply: the board's epoch, empty when it has none; 1 when it is the caller's and the list is complete, else 0; then the rank
-- when it is listed.
local state = redis.call('HMGET', KEYS[3], 'epoch', 'complete')
if state[1] ~= ARGV[1] or state[2] ~= '1' then return {state[1] or '', '0'} end
-- As in top-4.lua.
if redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[4]) ~= redis.call('HLEN', KEYS[2]) then
  redis.call('UNLINK', KEYS[3])
  return {'', '0'}
end
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[2])
return rank and {state[1], '1', tostring(rank)} or {state[1], '1'}
