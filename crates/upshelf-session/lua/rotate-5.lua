-- Replaces the refresh token of a session, as the vault just did. What does not follow on what is here (another rotation
-- came first, something was missed) leaves nothing here: the next look-up asks the vault.
-- KEYS: the session; the mark of its member; the member's sessions; the replaced refresh token; its successor.
-- ARGV: a new mark; how long to keep it all (ms); the session's hash; the replaced token's hash; its successor's;
-- idle_until; last_seen_at.
-- Reply: 1 if the successor was stored, else 0.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local entry = redis.call('HMGET', KEYS[1], 'state', 'mark', 'refresh', 'last_seen_at')
local mark = redis.call('GET', KEYS[2])
redis.call('DEL', KEYS[4])
if entry[1] == 'revoked' then return 0 end
if mark and string.sub(mark, 1, #run + 9) == run .. ':closing:' then
  redis.call('DEL', KEYS[1])
  return 0
end
-- A new mark, so that nobody brings back what the vault said before.
local new = run .. ':' .. ARGV[1]
redis.call('SET', KEYS[2], new, 'PX', ARGV[2])
local follows = mark and string.sub(mark, 1, #run) == run and entry[1] == 'open' and entry[2] == mark
  and entry[3] == ARGV[4]
if not follows then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('HSET', KEYS[1], 'mark', new, 'refresh', ARGV[5], 'idle_until', ARGV[6])
if tonumber(ARGV[7]) > (tonumber(entry[4] or '') or 0) then redis.call('HSET', KEYS[1], 'last_seen_at', ARGV[7]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[5], ARGV[3], 'PX', ARGV[2])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[2], 'NX')
redis.call('PEXPIRE', KEYS[3], ARGV[2], 'GT')
return 1
