-- id, task, queue, args, key, max_retries, delay_ms, max_waiting, retention_ms
local id, task, queue, args, key, retries, delay, limit, retention = unpack(ARGV)
local now = now_ms()
local known = known_as(task, key)
if known then return {'known', known} end
if open_jobs() >= tonumber(limit) then return {'full', {}} end
record(id, task, queue, args, key, retries, retention, now)
if tonumber(delay) > 0 then
  redis.call('ZADD', p .. ':timers', now + delay, id)
else
  redis.call('ZADD', p .. ':rung', now, id)
end
return {'added', redis.call('HGETALL', job_key(id))}
