-- id: forget a job whose message could not be sent, unless a worker has had it
local id = ARGV[1]
local state, claims = unpack(redis.call('HMGET', job_key(id), 'state', 'claims'))
if state ~= 'queued' or claims then return 0 end
redis.call('DEL', job_key(id))
redis.call('ZREM', p .. ':state:queued', id)
return 1
