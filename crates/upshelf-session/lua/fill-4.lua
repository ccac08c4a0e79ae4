-- Stores what the vault said about a session, if its member's mark still is the one that was given out before the vault
-- was asked, in this life of the server: nothing can have ended in between.
-- KEYS: the session; the mark of its member; the member's sessions; the session's refresh token.
-- ARGV: the mark; how long to keep it (ms); the session's hash; when the mark was given out (ms); the refresh token's
-- hash; then 'revoked', or 'open' and member, auth_time, expires_at, idle_until, last_seen_at.
-- Reply: 1 if it was stored, else 0.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if redis.call('GET', KEYS[2]) ~= ARGV[1] or string.sub(ARGV[1], 1, #run) ~= run then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[6] == 'revoked' then
  redis.call('HSET', KEYS[1], 'state', 'revoked')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[3])
  redis.call('DEL', KEYS[4])
  return 1
end
redis.call('HSET', KEYS[1], 'state', 'open', 'mark', ARGV[1], 'confirmed_at', ARGV[4], 'refresh', ARGV[5],
  'member', ARGV[7], 'auth_time', ARGV[8], 'expires_at', ARGV[9], 'idle_until', ARGV[10], 'last_seen_at', ARGV[11])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2], 'GT')
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[2], 'NX')
redis.call('PEXPIRE', KEYS[3], ARGV[2], 'GT')
return 1
