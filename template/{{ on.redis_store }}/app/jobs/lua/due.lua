-- limit, retention_ms, lease_ms: move on every job whose timer has run out
local limit, retention, lease = unpack(ARGV)
local now = now_ms()
local ring, dead = {}, {}
-- When nobody has looked for a while there was an outage, or the host was suspended, or its clock was set. Jobs that are
-- fine may have lost their leases: whoever runs them gets the time to renew, though not again and again.
local unseen, renewed = 5000, lease / 4 + 3000
local looked = p .. ':looked'
local at, granted_at = unpack(redis.call('HMGET', looked, 'at', 'granted_at'))
redis.call('HSET', looked, 'at', now)
if math.abs(now - (at or 0)) > unseen and math.abs(now - (granted_at or 0)) > tonumber(lease) then
  redis.call('HSET', looked, 'granted_at', now)
  for _, id in ipairs(redis.call('ZRANGE', p .. ':state:running', 0, -1)) do
    local ends = tonumber(redis.call('ZSCORE', p .. ':timers', id) or 0)
    if ends < now + renewed or ends > now + lease then redis.call('ZADD', p .. ':timers', now + renewed, id) end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. ':timers', '-inf', now, 'LIMIT', 0, limit)) do
  local state, task, attempts, retries, cancel = unpack(
    redis.call('HMGET', job_key(id), 'state', 'task', 'attempts', 'max_retries', 'cancel'))
  if not state then
    redis.call('ZREM', p .. ':timers', id)
  elseif cancel then
    close(id, state, 'cancelled', now, retention)
  elseif state == 'running' and tonumber(attempts) > tonumber(retries) then
    bury(id, state, now, retention)
    dead[#dead + 1] = id
  else
    move(id, state, 'queued', now)
    ring[#ring + 1] = id
    ring[#ring + 1] = task
  end
end
for _, state in ipairs({'succeeded', 'failed', 'cancelled'}) do
  redis.call('ZREMRANGEBYSCORE', p .. ':state:' .. state, '-inf', now - retention)
end
return {ring, dead, now}
