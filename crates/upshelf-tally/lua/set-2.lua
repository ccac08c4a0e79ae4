-- Sets the counts of one thing, unless what is known is of a later epoch, or of as new a version in this one.
-- KEYS: the counts, their epoch. ARGV: epoch, up, down, score, version, life in ms. Reply: 1 when they were set, else 0.
local epoch, version = tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(redis.call('HGET', KEYS[1], 'version') or -1)
if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and version >= tonumber(ARGV[5])) then return 0 end
redis.call('HSET', KEYS[1], 'up', ARGV[2], 'down', ARGV[3], 'score', ARGV[4], 'version', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[6])
return 1
