-- id, lease_ms, retention_ms
local id, lease, retention = unpack(ARGV)
local now = now_ms()
local state, attempts, retries = unpack(
  redis.call('HMGET', job_key(id), 'state', 'attempts', 'max_retries'))
if not state then return {'unknown', {}} end
local timer = redis.call('ZSCORE', p .. ':timers', id)
if state ~= 'queued' and state ~= 'retrying' and state ~= 'running' then return {state, {}} end
-- A timer in the future is a live lease, or a job that is not due yet.
if timer and tonumber(timer) > now then return {state, {}} end
if tonumber(attempts) > tonumber(retries) then
  redis.call('HSET', job_key(id), 'reason', 'worker_lost', 'error', 'The worker died during every try')
  close(id, state, 'failed', now, retention)
  return {'lost', redis.call('HGETALL', job_key(id))}
end
redis.call('ZREM', p .. ':rung', id)
redis.call('HINCRBY', job_key(id), 'attempts', 1)
redis.call('HSET', job_key(id), 'started_at', now)
redis.call('HDEL', job_key(id), 'progress')
redis.call('ZADD', p .. ':timers', now + lease, id)
move(id, state, 'running', now)
return {'claimed', redis.call('HGETALL', job_key(id))}
