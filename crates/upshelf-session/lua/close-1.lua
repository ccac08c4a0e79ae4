-- Announces that sessions of a member are about to end: until they have, or the time is over, everybody asks the vault.
-- KEYS: the mark of the member.
-- ARGV: a mark of this announcement; how long it holds (ms).
-- Reply: none.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
redis.call('SET', KEYS[1], run .. ':closing:' .. ARGV[1], 'PX', ARGV[2])
