-- Says the token that every value carries; makes a new one in a new life of the server, or when told to.
-- KEYS: the token. ARGV: the life, what makes a new token unique, 1 to make a new one anyway. Reply: the token.
local token = redis.call('GET', KEYS[1])
local life, before = string.match(token or '', '^(%w+):(%d+)')
if ARGV[3] ~= '1' and life == ARGV[1] then return token end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if before and tonumber(before) >= now then now = tonumber(before) + 1 end
token = string.format('%s:%.0f-%s', ARGV[1], now, ARGV[2])
redis.call('SET', KEYS[1], token)
return token
