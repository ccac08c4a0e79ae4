-- Invalidates a tag: whatever carries its old token is invalid. Its members are put aside, to be collected.
-- KEYS: the token, then the tag's set and the place to put it, unless the tag's name keeps them from this slot.
-- ARGV: what makes the token unique, its life in ms, the life of what is put aside. Reply: the new token.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- Tokens of a tag grow also where the clock is set back: the greater one is the newer one.
local before = string.match(redis.call('GET', KEYS[1]) or '', '^%d+')
if before and tonumber(before) >= now then now = tonumber(before) + 1 end
local token = string.format('%.0f-%s', now, ARGV[1])
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return token
