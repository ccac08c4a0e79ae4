-- Changes what a subject owes to one policy, whether or not there is room.
-- KEYS: the policy's theoretical arrival time, in microseconds of this server's clock.
-- ARGV: by how much the debt changes, how much it is then at least, and at most.
-- Reply: none.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed = math.max((tonumber(redis.call('GET', KEYS[1]) or 0) or 0) - now, 0)
owed = math.min(math.max(owed + tonumber(ARGV[1]), tonumber(ARGV[2])), tonumber(ARGV[3]))
if owed > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', now + owed), 'PX', math.ceil(owed / 1000))
else
  redis.call('DEL', KEYS[1])
end
