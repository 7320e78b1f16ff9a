-- id, lease_ms, retention_ms
local id, lease, retention = unpack(ARGV)
local now = now_ms()
local state, attempts, retries, claims, cancel = unpack(
  redis.call('HMGET', job_key(id), 'state', 'attempts', 'max_retries', 'claims', 'cancel'))
local timer = redis.call('ZSCORE', p .. ':timers', id)
local outcome = state or 'unknown'
-- A timer in the future is a live lease, or a job that is not due yet.
if ({queued = 1, retrying = 1, running = 1})[outcome] and tonumber(timer or 0) <= now then
  outcome = cancel and 'cancelled' or tonumber(attempts) > tonumber(retries) and 'lost' or 'claimed'
end
if outcome == 'claimed' then
  redis.call('HSET', job_key(id), 'attempts', attempts + 1, 'claims', (claims or 0) + 1, 'started_at', now)
  redis.call('HDEL', job_key(id), 'progress')
  move(id, state, 'running', now, now + lease)
  return {outcome, read(id)}
end
redis.call('HINCRBY', p .. ':stats', 'dropped:' .. outcome, 1)
if outcome == 'cancelled' and state ~= outcome then close(id, state, outcome, now, retention) end
if outcome ~= 'lost' then return {outcome, {}} end
bury(id, state, now, retention)
return {outcome, read(id)}
