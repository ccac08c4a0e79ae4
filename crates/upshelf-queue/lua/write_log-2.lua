-- Adds lines to the log of a job, if it is there, and keeps the newest.
-- KEYS: the job, its log. ARGV: how many are kept, the lines. Reply: 1 if the job is there.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], unpack(ARGV, 2))
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[1]), -1)
return 1
