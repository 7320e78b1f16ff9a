-- id: forget a job whose message could not be sent, unless a worker has it already
local id = ARGV[1]
local state, attempts = unpack(redis.call('HMGET', job_key(id), 'state', 'attempts'))
if state ~= 'queued' or attempts ~= '0' then return 0 end
redis.call('DEL', job_key(id))
redis.call('ZREM', p .. ':state:queued', id)
redis.call('ZREM', p .. ':rung', id)
return 1
