-- id, claim, state, result, error, reason, progress, retention_ms
local id, claim, state, result, error, reason, progress, retention = unpack(ARGV)
if not owned(id, claim) then
  -- Asked again because the answer was lost: it is as it was to be.
  local is, claims, why = unpack(redis.call('HMGET', job_key(id), 'state', 'claims', 'reason'))
  return is == state and claims == claim and (why or '') == reason and 1 or 0
end
local now = now_ms()
if result ~= '' then redis.call('HSET', job_key(id), 'result', result) end
if progress ~= '' then redis.call('HSET', job_key(id), 'progress', progress) end
redis.call('HDEL', job_key(id), 'error', 'reason')
if error ~= '' then redis.call('HSET', job_key(id), 'error', error, 'reason', reason) end
close(id, 'running', state, now, retention)
local task, started = unpack(redis.call('HMGET', job_key(id), 'task', 'started_at'))
redis.call('HINCRBY', p .. ':stats', 'ms:' .. task, now - started)
return 1
