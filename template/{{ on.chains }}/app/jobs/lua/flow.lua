-- max_waiting, retention_ms, idempotency key of the last job, then for each job, the last one last:
-- id, task, queue, args, max_retries, then, place, pending, gather
local limit, retention, key = ARGV[1], ARGV[2], ARGV[3]
local now, last = now_ms(), #ARGV - 8
local known = known_as(ARGV[last + 1], key)
if known then return {'known', known} end
if open_jobs() + (#ARGV - 3) / 9 > tonumber(limit) then return {'full', {}} end
for at = 4, #ARGV, 9 do
  local id, task, queue, args, retries, follower, place, pending, gather = unpack(ARGV, at, at + 8)
  record(id, task, queue, args, at == last and key or '', retries, retention, now)
  if follower ~= '' then redis.call('HSET', job_key(id), 'then', follower, 'place', place) end
  if pending == '0' then
    redis.call('ZADD', p .. ':timers', now, id)
  else
    redis.call('HSET', job_key(id), 'pending', pending, 'gather', gather, 'cancel', 1)
    redis.call('ZADD', p .. ':timers', now + retention, id)
  end
end
return {'added', redis.call('HGETALL', job_key(ARGV[last]))}
