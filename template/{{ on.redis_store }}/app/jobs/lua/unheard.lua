-- queue, messages on the broker, patience_ms, limit: queued jobs that the broker has no message for
local queue, depth, patience, limit = unpack(ARGV)
local now = now_ms()
local rung = p .. ':rung:' .. queue
local missing = math.min(redis.call('ZCARD', rung) - depth, tonumber(limit))
if missing <= 0 then return {} end
local ids = redis.call('ZRANGEBYSCORE', rung, '-inf', now - patience, 'LIMIT', 0, missing)
for _, id in ipairs(ids) do redis.call('ZADD', rung, now, id) end
return ids
