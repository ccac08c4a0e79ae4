-- Counts the jobs of one of BullMQ's queues at one moment.
-- KEYS: wait, paused, active, delayed, prioritized, completed, failed, meta.
-- ARGV: what stands before the id in the key of a job, and what the ids of jobs begin with that rows stand for. A job's key is
-- made here, as BullMQ's own scripts make it: all keys of a queue lie in one slot.
-- Reply: wait, paused, active, delayed, prioritized; of completed and failed those without a row; 1 if the queue is paused; for how
-- many milliseconds the oldest that waits has been there, or -1; of those without a row completed within the last minute the
-- number, and the sums of the milliseconds they waited and ran.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function without_row(key)
  local count = 0
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if string.sub(id, 1, #ARGV[2]) ~= ARGV[2] then count = count + 1 end
  end
  return count
end

local oldest = -1
local waits = redis.call('LRANGE', KEYS[1], -1, -1)
for _, id in ipairs(redis.call('ZRANGE', KEYS[5], 0, 0)) do waits[#waits + 1] = id end
for _, id in ipairs(waits) do
  local since = tonumber(redis.call('HGET', ARGV[1] .. id, 'timestamp') or now)
  oldest = math.max(oldest, now - since, 0)
end

local count, waited, ran = 0, 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], now - 60000, '+inf')) do
  if string.sub(id, 1, #ARGV[2]) ~= ARGV[2] then
    local at = redis.call('HMGET', ARGV[1] .. id, 'timestamp', 'processedOn', 'finishedOn')
    if at[1] and at[2] and at[3] then
      count, waited, ran = count + 1, waited + math.max(at[2] - at[1], 0), ran + math.max(at[3] - at[2], 0)
    end
  end
end

return {
  redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2]), redis.call('LLEN', KEYS[3]),
  redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), without_row(KEYS[6]), without_row(KEYS[7]),
  redis.call('HEXISTS', KEYS[8], 'paused'), oldest, count, waited, ran,
}
