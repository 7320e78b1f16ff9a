-- id, lease_ms, token: another one for each claim, the same when it is asked again because the answer was lost
local id, lease, token = unpack(ARGV)
local now = now_ms()
local state, attempts, claims, cancel, last_token = unpack(
  redis.call('HMGET', job_key(id), 'state', 'attempts', 'claims', 'cancel', 'token'))
local timer = redis.call('ZSCORE', p .. ':timers', id)
if state == 'running' and last_token == token then
  redis.call('ZADD', p .. ':timers', now + lease, id)
  return {'claimed', read(id)}
end
-- A timer in the future: it is not due yet. A running job is not for the taking, whatever became of its lease: recovery
-- moves it on, which after an outage gives whoever runs it the time to renew.
if not ({queued = 1, retrying = 1})[state or 'unknown'] or cancel or tonumber(timer or 0) > now then
  redis.call('HINCRBY', p .. ':stats', 'dropped:' .. (state or 'unknown'), 1)
  return {state or 'unknown', {}}
end
redis.call('HSET', job_key(id),
  'attempts', attempts + 1, 'claims', (claims or 0) + 1, 'token', token, 'started_at', now)
redis.call('HDEL', job_key(id), 'progress')
move(id, state, 'running', now, now + lease)
return {'claimed', read(id)}
