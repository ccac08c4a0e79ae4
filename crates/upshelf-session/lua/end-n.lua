-- Ends sessions of a member, as the vault just did, and tells all processes. n keys, because a member has as many as they
-- like; without any, it only makes everybody ask the vault about that member's again.
-- KEYS: the mark of the member; the member's sessions; each session that ended.
-- ARGV: a new mark; how long that lives (ms); the mark of the announcement that this completes; how long to remember an
-- end (ms); channel; message; the hash of each session.
-- Reply: the hashes of the refresh tokens that were known for them.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local mark = redis.call('GET', KEYS[1])
local closing = run .. ':closing:'
local others = ''
if mark and string.sub(mark, 1, #closing) == closing then
  -- What else has been announced and is not done yet stays announced, for as long as it was.
  for other in string.gmatch(string.sub(mark, #closing + 1), '[^,]+') do
    if other ~= ARGV[3] then others = others .. other .. ',' end
  end
end
if others == '' then
  redis.call('SET', KEYS[1], run .. ':' .. ARGV[1], 'PX', ARGV[2])
else
  redis.call('SET', KEYS[1], closing .. others, 'KEEPTTL')
end
local refresh = {}
for i = 3, #KEYS do
  -- Whatever a foreign program put there.
  local known = redis.pcall('HGET', KEYS[i], 'refresh')
  if type(known) == 'string' then refresh[#refresh + 1] = known end
  redis.call('DEL', KEYS[i])
  redis.call('HSET', KEYS[i], 'state', 'revoked')
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
if #KEYS > 2 then
  redis.call('PUBLISH', ARGV[5], ARGV[6])
  redis.call('ZREM', KEYS[2], unpack(ARGV, 7))
end
return refresh
