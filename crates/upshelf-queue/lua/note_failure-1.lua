-- Counts an attempt as failed. A job that Redis forgot meanwhile must stay forgotten: what is written to its key would be taken
-- for it, and it would never be handed over again.
-- KEYS: the job. ARGV: the reason; the same as BullMQ's stack trace. Reply: 1 if the job is there.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'atm', 1)
redis.call('HSET', KEYS[1], 'failedReason', ARGV[1], 'stacktrace', ARGV[2])
return 1
