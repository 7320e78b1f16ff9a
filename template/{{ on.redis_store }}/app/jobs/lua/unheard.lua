-- messages on the broker, patience_ms, limit: queued jobs that the broker has no message for
local messages, patience, limit = unpack(ARGV)
local now = now_ms()
local queued = p .. ':state:queued'
local missing = math.min(redis.call('ZCARD', queued) - messages, tonumber(limit))
if missing <= 0 then return {} end
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', queued, '-inf', now - patience, 'LIMIT', 0, missing)) do
  redis.call('ZADD', queued, now, id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', job_key(id), 'task') or ''
end
return found
