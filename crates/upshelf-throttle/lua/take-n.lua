-- Takes from all policies of one subject, or from none; a price of 0 everywhere only asks.
-- n keys, because a request has as many policies as it likes; all lie in one slot.
-- KEYS: one per policy: its theoretical arrival time, in microseconds of this server's clock.
-- ARGV: three per policy: the price, the largest debt that has room for it, 1 for a shadow (which refuses nobody), else 0.
-- Reply: 1 if it is allowed, else 0; the time; per policy the arrival time before, 0 where nothing is owed.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local reply = { 1, now }
local fits = {}
for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  local tat = tonumber(value or 0) or 0
  reply[i + 2] = tat
  fits[i] = tat - now <= tonumber(ARGV[3 * i - 1])
  if not fits[i] and ARGV[3 * i] == '0' then reply[1] = 0 end
end
if reply[1] == 1 then
  for i, key in ipairs(KEYS) do
    local price = tonumber(ARGV[3 * i - 2])
    if fits[i] and price > 0 then
      local tat = math.max(reply[i + 2], now) + price
      redis.call('SET', key, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
    end
  end
end
return reply
