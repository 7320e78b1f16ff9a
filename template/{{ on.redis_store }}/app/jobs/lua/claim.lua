-- id, lease_ms
local id, lease = unpack(ARGV)
local now = now_ms()
local state, attempts, claims = unpack(redis.call('HMGET', job_key(id), 'state', 'attempts', 'claims'))
local timer = redis.call('ZSCORE', p .. ':timers', id)
-- A timer in the future: it is not due yet. A running job is not for the taking, whatever became of its lease: recovery
-- moves it on, which after an outage gives whoever runs it the time to renew.
if not ({queued = 1, retrying = 1})[state or 'unknown'] or tonumber(timer or 0) > now then
  redis.call('HINCRBY', p .. ':stats', 'dropped:' .. (state or 'unknown'), 1)
  return {state or 'unknown', {}}
end
redis.call('HSET', job_key(id), 'attempts', attempts + 1, 'claims', (claims or 0) + 1, 'started_at', now)
redis.call('HDEL', job_key(id), 'progress')
move(id, state, 'running', now, now + lease)
return {'claimed', read(id)}
