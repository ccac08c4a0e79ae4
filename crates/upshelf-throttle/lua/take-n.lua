-- Decides requests one after the other: each takes from all its policies, or from none; prices of 0 only ask.
-- n keys, because a request has as many policies as it likes. In a cluster there is one request, whose keys lie in one slot.
-- KEYS: one per policy of each request: its theoretical arrival time, in microseconds of this server's clock.
-- ARGV: per request: how many policies; per policy: the price, the largest debt that has room for it, 1 for a shadow
-- (which refuses nobody), else 0.
-- Reply: the time; per request: 1 if it is allowed, else 0; per policy the arrival time before, 0 where nothing is owed.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local reply = { now }
local key, arg = 1, 1
while key <= #KEYS do
  local count = tonumber(ARGV[arg])
  local tats = redis.call('MGET', unpack(KEYS, key, key + count - 1))
  local allowed, fits = 1, {}
  for i = 1, count do
    tats[i] = tonumber(tats[i] or 0) or 0
    fits[i] = tats[i] - now <= tonumber(ARGV[arg + 3 * i - 1])
    if not fits[i] and ARGV[arg + 3 * i] == '0' then allowed = 0 end
  end
  reply[#reply + 1] = allowed
  for i = 1, count do
    reply[#reply + 1] = tats[i]
    local price = tonumber(ARGV[arg + 3 * i - 2])
    if allowed == 1 and fits[i] and price > 0 then
      local tat = math.max(tats[i], now) + price
      redis.call('SET', KEYS[key + i - 1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
    end
  end
  key, arg = key + count, arg + 1 + 3 * count
end
return reply
