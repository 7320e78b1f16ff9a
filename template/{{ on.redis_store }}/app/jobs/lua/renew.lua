-- lease_ms, then id, claim, progress of each job that runs in this process
local now = now_ms()
local answers = {}
for i = 2, #ARGV, 3 do
  local id, claim, progress = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not owned(id, claim) then
    answers[#answers + 1] = 'lost'
  else
    redis.call('ZADD', p .. ':timers', now + ARGV[1], id)
    if progress ~= '' then redis.call('HSET', job_key(id), 'progress', progress) end
    answers[#answers + 1] = redis.call('HEXISTS', job_key(id), 'cancel') == 1 and 'cancel' or 'held'
  end
end
return answers
