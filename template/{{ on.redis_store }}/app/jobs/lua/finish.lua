-- id, claim, state, result, error, reason, progress, retention_ms, token (as for `claim`)
local id, claim, state, result, error, reason, progress, retention, token = unpack(ARGV)
if not owned(id, claim) then
  return redis.call('HGET', job_key(id), 'token') == token and 1 or 0
end
local now = now_ms()
if result ~= '' then redis.call('HSET', job_key(id), 'result', result) end
if progress ~= '' then redis.call('HSET', job_key(id), 'progress', progress) end
redis.call('HDEL', job_key(id), 'error', 'reason')
if error ~= '' then redis.call('HSET', job_key(id), 'error', error, 'reason', reason) end
redis.call('HSET', job_key(id), 'token', token)
close(id, 'running', state, now, retention)
local task, started = unpack(redis.call('HMGET', job_key(id), 'task', 'started_at'))
redis.call('HINCRBY', p .. ':stats', 'ms:' .. task, now - started)
return 1
