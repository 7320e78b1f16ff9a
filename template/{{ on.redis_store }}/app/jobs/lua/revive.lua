-- id: give a dead letter all its tries again
local id = ARGV[1]
local state, task, key = unpack(redis.call('HMGET', job_key(id), 'state', 'task', 'key'))
if state == 'failed' then
  local now = now_ms()
  redis.call('HDEL', job_key(id), 'error', 'reason', 'finished_at', 'cancel')
  redis.call('HSET', job_key(id), 'attempts', 0)
  redis.call('PERSIST', job_key(id))
  if key then redis.call('PERSIST', p .. ':key:' .. task .. ':' .. key) end
  move(id, state, 'queued', now, now)
end
return read(id)
