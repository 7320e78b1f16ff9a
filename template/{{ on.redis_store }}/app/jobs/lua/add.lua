-- id, task, queue, args, key, max_retries, delay_ms, max_waiting, retention_ms
local id, task, queue, args, key, retries, delay, limit, retention = unpack(ARGV)
local now = now_ms()
if key ~= '' then
  local known = redis.call('GET', p .. ':key:' .. task .. ':' .. key)
  if known and redis.call('EXISTS', job_key(known)) == 1 then
    return {'known', redis.call('HGETALL', job_key(known))}
  end
end
local open = 0
for _, state in ipairs({'queued', 'retrying', 'running'}) do
  open = open + redis.call('ZCARD', p .. ':state:' .. state)
end
if open >= tonumber(limit) then return {'full', {}} end
redis.call('HSET', job_key(id), 'id', id, 'task', task, 'queue', queue, 'args', args,
  'max_retries', retries, 'attempts', 0, 'state', 'queued', 'created_at', now)
if key ~= '' then
  redis.call('SET', p .. ':key:' .. task .. ':' .. key, id, 'PX', retention)
  redis.call('HSET', job_key(id), 'key', key)
end
redis.call('ZADD', p .. ':state:queued', now, id)
if tonumber(delay) > 0 then
  redis.call('ZADD', p .. ':timers', now + delay, id)
else
  redis.call('ZADD', p .. ':rung:' .. queue, now, id)
end
return {'added', redis.call('HGETALL', job_key(id))}
