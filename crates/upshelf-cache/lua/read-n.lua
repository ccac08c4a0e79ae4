-- Reads values, or says for each who is to load it: one of all that ask.
-- KEYS: for each value: itself, its meta, its lease.
-- ARGV: what makes the tokens of new leases unique, their life in ms, how many bytes of values are enough; then for each value
--   that not everybody would take: its place, the share of the ttl that must be left, a meta that was found wanting.
-- Reply: for each value two texts: who, the server's time in µs, the ms it has left and its meta; and the value. Both are empty
--   where there is none. It ends early where the values before were enough.
--   who 0: the value is fresh. 1: the caller loads, and has the lease <unique>.<place>. 2: somebody else loads.
--   3: the server takes no leases now, and says why in place of the meta.
local reply, length, enough = {}, 0, tonumber(ARGV[3])
local shares, wanted = {}, {}
for n = 4, #ARGV, 3 do
  shares[ARGV[n]], wanted[ARGV[n]] = ARGV[n + 1], ARGV[n + 2]
end

local function read(place, key, meta_key, lease)
  local share = shares[place] or '0'
  local found = redis.call('MGET', key, meta_key)
  local value, meta, left = found[1], found[2], 0
  if value and meta and meta ~= wanted[place] then
    left = redis.call('PTTL', key)
    local ttl, grace = string.match(meta, '^(%d+) (%d+) ')
    if ttl and left > grace + ttl * share then return '0 0 ' .. left .. ' ' .. meta, value end
  else
    value, meta = '', ''
  end
  local given = redis.pcall('SET', lease, ARGV[1] .. '.' .. place, 'NX', 'PX', ARGV[2])
  if given and given.err then
    -- A full memory or disk stops no reads; a server that has become a replica is not to be believed.
    if string.find(given.err, 'OOM', 1, true) or string.find(given.err, 'MISCONF', 1, true) then
      return '3 0 ' .. left .. ' ' .. given.err, ''
    end
    return nil, given
  end
  if given then
    local time = redis.call('TIME')
    return string.format('1 %.0f %d %s', time[1] * 1000000 + time[2], left, meta), value
  end
  -- A plus behind the token says that somebody waits; the key keeps its life.
  local holder = share == '0' and redis.call('MGET', lease)[1]
  if holder and string.sub(holder, -1) ~= '+' then redis.call('APPEND', lease, '+') end
  return '2 0 ' .. left .. ' ' .. meta, value
end

for n = 1, #KEYS, 3 do
  if length >= enough then break end
  local head, value = read(tostring((n + 2) / 3), KEYS[n], KEYS[n + 1], KEYS[n + 2])
  if not head then return value end
  reply[#reply + 1], reply[#reply + 2] = head, value
  length = length + #value
end
return reply
