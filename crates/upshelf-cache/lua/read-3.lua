-- Reads a value, or says who is to load it: one of all that ask.
-- KEYS: the value, its meta, its lease.
-- ARGV: a new lease's token, its life in ms, the share of the ttl that must be left, a meta that was found wanting.
-- Reply: who, the server's time in µs, the value, its meta, the ms it has left; both texts are empty where there is none.
--   who 0: the value is fresh. 1: the caller loads, and has the lease. 2: somebody else loads.
local found = redis.call('MGET', KEYS[1], KEYS[2])
local value, meta, left = found[1], found[2], 0
if value and meta and meta ~= ARGV[4] then
  left = redis.call('PTTL', KEYS[1])
  local ttl, grace = string.match(meta, '^(%d+) (%d+) ')
  if ttl and left > grace + ttl * ARGV[3] then return {0, 0, value, meta, left} end
else
  value, meta = '', ''
end
if redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local time = redis.call('TIME')
  return {1, time[1] * 1000000 + time[2], value, meta, left}
end
-- A plus behind the token says that somebody waits; the key keeps its life.
if ARGV[3] == '0' and string.sub(redis.call('GET', KEYS[3]), -1) ~= '+' then redis.call('APPEND', KEYS[3], '+') end
return {2, 0, value, meta, left}
