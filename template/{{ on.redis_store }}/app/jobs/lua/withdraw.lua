-- id: forget a job whose message could not be sent, unless a worker has had it or a repeat was told of it
local id = ARGV[1]
local state, claims, repeated, task, key = unpack(
  redis.call('HMGET', job_key(id), 'state', 'claims', 'repeated', 'task', 'key'))
if state ~= 'queued' or claims or repeated then return 0 end
if key then redis.call('DEL', p .. ':key:' .. task .. ':' .. key) end
redis.call('DEL', job_key(id))
redis.call('ZREM', p .. ':state:queued', id)
return 1
