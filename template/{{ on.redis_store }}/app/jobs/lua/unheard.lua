-- messages on the broker, patience_ms, limit: queued jobs that the broker has no message for
local messages, patience, limit = unpack(ARGV)
local now = now_ms()
local rung = p .. ':rung'
local missing = math.min(redis.call('ZCARD', rung) - messages, tonumber(limit))
if missing <= 0 then return {} end
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', rung, '-inf', now - patience, 'LIMIT', 0, missing)) do
  redis.call('ZADD', rung, now, id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', job_key(id), 'task') or ''
end
return found
