-- id, retention_ms
local state = redis.call('HGET', job_key(ARGV[1]), 'state')
if state == 'queued' or state == 'retrying' then
  close(ARGV[1], state, 'cancelled', now_ms(), ARGV[2])
elseif state == 'running' then
  redis.call('HSET', job_key(ARGV[1]), 'cancel', 1)
end
return read(ARGV[1])
