-- limit, retention_ms: move on every job whose timer has run out
local now = now_ms()
local ring, dead = {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. ':timers', '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local state, task, attempts, retries, cancel = unpack(
    redis.call('HMGET', job_key(id), 'state', 'task', 'attempts', 'max_retries', 'cancel'))
  if not state then
    redis.call('ZREM', p .. ':timers', id)
  elseif cancel then
    close(id, state, 'cancelled', now, ARGV[2])
  elseif state == 'running' and tonumber(attempts) > tonumber(retries) then
    bury(id, state, now, ARGV[2])
    dead[#dead + 1] = id
  else
    move(id, state, 'queued', now)
    ring[#ring + 1] = id
    ring[#ring + 1] = task
  end
end
for _, state in ipairs({'succeeded', 'failed', 'cancelled'}) do
  redis.call('ZREMRANGEBYSCORE', p .. ':state:' .. state, '-inf', now - ARGV[2])
end
return {ring, dead, now}
