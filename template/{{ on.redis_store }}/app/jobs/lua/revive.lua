-- id: give a dead letter all its tries again
local id = ARGV[1]
if redis.call('HGET', job_key(id), 'state') == 'failed' then
  local now = now_ms()
  redis.call('HDEL', job_key(id), 'error', 'reason', 'finished_at', 'cancel')
  redis.call('HSET', job_key(id), 'attempts', 0)
  redis.call('PERSIST', job_key(id))
  move(id, 'failed', 'queued', now)
  redis.call('ZADD', p .. ':timers', now, id)
end
return redis.call('HGETALL', job_key(id))
