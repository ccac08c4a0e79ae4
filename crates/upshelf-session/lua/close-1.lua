-- Announces that sessions of a member are about to end: until they have, or the time is over, everybody asks the vault.
-- Announcements add up, so that one that is completed does not hide another whose process died.
-- KEYS: the mark of the member.
-- ARGV: a mark of this announcement; how long it holds (ms).
-- Reply: none.
local closing = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') .. ':closing:'
local mark = redis.call('GET', KEYS[1])
local others = mark and string.sub(mark, 1, #closing) == closing and string.sub(mark, #closing + 1) or ''
redis.call('SET', KEYS[1], closing .. others .. ARGV[1] .. ',', 'PX', ARGV[2])
