-- Says the token of a tag, making one where there is none, and notes a member.
-- KEYS: the token, and the tag's set unless its name keeps it from this slot.
-- ARGV: what makes a new token unique, its life in ms, the member, its life in ms. Reply: the token.
local token = redis.call('GET', KEYS[1])
if token then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  -- The plus says that it stands for no invalidation.
  local time = redis.call('TIME')
  token = string.format('%.0f+%s', time[1] * 1000000 + time[2], ARGV[1])
  redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
end
if KEYS[2] then
  redis.call('SADD', KEYS[2], ARGV[3])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
end
return token
