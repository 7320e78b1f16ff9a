-- max_waiting, retention_ms, idempotency key of the last job, then for each job, the last one last:
-- id, task, queue, args, max_retries, then, place, pending, gather
local limit, retention, key = ARGV[1], ARGV[2], ARGV[3]
local now, last = now_ms(), #ARGV - 8
local known = known_as(ARGV[last + 1], key)
if known then return {'known', known} end
local why = full((#ARGV - 3) / 9, limit)
if why then return {'full', why} end
for at = 4, #ARGV, 9 do
  local id, task, queue, args, retries, follower, place, pending, gather = unpack(ARGV, at, at + 8)
  local timer = pending == '0' and now or now + retention
  record(id, task, queue, args, at == last and key or '', retries, now, timer)
  if follower ~= '' then redis.call('HSET', job_key(id), 'then', follower, 'place', place) end
  if pending ~= '0' then redis.call('HSET', job_key(id), 'pending', pending, 'gather', gather, 'cancel', 1) end
end
return {'added', read(ARGV[last])}
