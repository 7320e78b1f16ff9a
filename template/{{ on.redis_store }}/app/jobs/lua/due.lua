-- asked_ms, limit, retention_ms: move on every job whose timer has run out
local asked, limit, retention = unpack(ARGV)
local now = now_ms()
local ring, dead = {}, {}
-- Asked before an outage and heard after it: those who run jobs have not had the time to renew their leases.
if now - asked > 2000 then return {ring, dead, now} end
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
