-- Looks up a session; whoever has to ask the vault instead gets a mark, to bring the vault's answer back with.
-- A mark names this life of the server (run_id), so what a dump or another primary brought along counts for nothing.
-- KEYS: the session; the mark of its member.
-- ARGV: a new mark, in case there is none; how long that lives (ms); how long the vault's word counts (ms); since when
-- it must have been given (ms of this server's clock), or 'now' where nothing counts.
-- Reply: the time (ms); 'open', 'revoked' or 'ask'; the mark, '' where no answer would be taken; of an open session:
-- member, auth_time, expires_at, idle_until, last_seen_at.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('HMGET', KEYS[1], 'state', 'mark', 'confirmed_at', 'member', 'auth_time', 'expires_at',
  'idle_until', 'last_seen_at')
-- No session is ever opened again: this is true in every life.
if entry[1] == 'revoked' then return { now, 'revoked', '' } end
local mark = redis.call('GET', KEYS[2])
if not mark or string.sub(mark, 1, #run) ~= run then
  mark = run .. ':' .. ARGV[1]
  redis.call('SET', KEYS[2], mark, 'PX', ARGV[2])
end
if string.find(mark, ':closing:', 1, true) then return { now, 'ask', '' } end
local confirmed = tonumber(entry[3] or '')
if entry[1] ~= 'open' or entry[2] ~= mark or not confirmed or ARGV[4] == 'now' then return { now, 'ask', mark } end
-- A clock that was set back must not make an answer live longer.
if confirmed > now or now - confirmed >= tonumber(ARGV[3]) or confirmed < tonumber(ARGV[4]) then
  return { now, 'ask', mark }
end
return { now, 'open', mark, entry[4], entry[5], entry[6], entry[7], entry[8] }
