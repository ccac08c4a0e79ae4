-- Reads the best of the list, best first; of equal scores the greater id first.
-- KEYS: the list, its details, its state, what was removed. ARGV: epoch, how many.
-- Reply: the board's epoch, empty when it has none; 1 when it is the caller's and the list is complete, else 0; then id and
-- details of each, one after the other.
local state = redis.call('HMGET', KEYS[3], 'epoch', 'complete')
if state[1] ~= ARGV[1] or state[2] ~= '1' then return {state[1] or '', '0'} end
-- Whatever takes a key away takes a part of the truth away, which no load brings back: what was removed. The epoch is over.
if redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[4]) ~= redis.call('HLEN', KEYS[2]) then
  redis.call('UNLINK', KEYS[3])
  return {'', '0'}
end
local top = {state[1], '1'}
if ARGV[2] == '0' then return top end
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[2] - 1)) do
  top[#top + 1], top[#top + 2] = id, redis.call('HGET', KEYS[2], id) or ''
end
return top
