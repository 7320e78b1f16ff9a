-- Shared by every script: KEYS[1] is the prefix.
local p = KEYS[1]
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function job_key(id) return p .. ':job:' .. id end
-- The job that stands for an idempotency key, if there is one.
local function known_as(task, key)
  local id = key ~= '' and redis.call('GET', p .. ':key:' .. task .. ':' .. key)
  return id and redis.call('EXISTS', job_key(id)) == 1 and redis.call('HGETALL', job_key(id))
end
local function open_jobs()
  local open = 0
  for _, state in ipairs({'queued', 'retrying', 'running'}) do
    open = open + redis.call('ZCARD', p .. ':state:' .. state)
  end
  return open
end
local function record(id, task, queue, args, key, retries, retention, now)
  redis.call('HSET', job_key(id), 'id', id, 'task', task, 'queue', queue, 'args', args,
    'max_retries', retries, 'attempts', 0, 'state', 'queued', 'created_at', now)
  if key ~= '' then
    redis.call('SET', p .. ':key:' .. task .. ':' .. key, id, 'PX', retention)
    redis.call('HSET', job_key(id), 'key', key)
  end
  redis.call('ZADD', p .. ':state:queued', now, id)
end
local function move(id, from, to, now)
  redis.call('ZREM', p .. ':state:' .. from, id)
  redis.call('ZADD', p .. ':state:' .. to, now, id)
  redis.call('HSET', job_key(id), 'state', to)
end
-- A final job leaves the timers and is kept for the retention only.
local function close(id, from, to, now, retention_ms)
  move(id, from, to, now)
  local task = redis.call('HGET', job_key(id), 'task')
  redis.call('ZREM', p .. ':timers', id)
  redis.call('ZREM', p .. ':rung', id)
  redis.call('HSET', job_key(id), 'finished_at', now)
  redis.call('PEXPIRE', job_key(id), retention_ms)
  redis.call('HINCRBY', p .. ':stats', 'jobs:' .. task .. ':' .. to, 1)
end
local function owned(id, attempt)
  local state, attempts = unpack(redis.call('HMGET', job_key(id), 'state', 'attempts'))
  return state == 'running' and attempts == attempt
end
