-- id, claim, state (retrying, or queued when the try does not count), delay_ms, error, retention_ms
local id, claim, state, delay, error, retention = unpack(ARGV)
if not owned(id, claim) then return 0 end
local now = now_ms()
if redis.call('HEXISTS', job_key(id), 'cancel') == 1 then
  close(id, 'running', 'cancelled', now, retention)
  return 1
end
if state == 'queued' then redis.call('HINCRBY', job_key(id), 'attempts', -1) end
if error ~= '' then redis.call('HSET', job_key(id), 'error', error) end
move(id, 'running', state, now, now + delay)
return 1
