#!lua flags=allow-oom
-- Shared by every script: KEYS[1] is the prefix. What was accepted goes on also when the memory is used up.
local p = KEYS[1]
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function job_key(id) return p .. ':job:' .. id end
local function read(id)
  local found = redis.call('HGETALL', job_key(id))
  if #found > 0 then
    found[#found + 1] = 'id'
    found[#found + 1] = id
  end
  return found
end
-- The job that stands for an idempotency key, if there is one. Who asked was promised it: it is not withdrawn any more.
local function known_as(task, key)
  local id = key ~= '' and redis.call('GET', p .. ':key:' .. task .. ':' .. key)
  local found = id and read(id)
  if not found or #found == 0 then return nil end
  redis.call('HSET', job_key(id), 'repeated', 1)
  return found
end
-- Why there is no room for so many more jobs, or nil.
local function full(more, limit)
  local open = more
  for _, state in ipairs({'queued', 'delayed', 'retrying', 'running'}) do
    open = open + redis.call('ZCARD', p .. ':state:' .. state)
  end
  if open > tonumber(limit) then return limit .. ' jobs wait already' end
  local info = redis.call('INFO', 'memory')
  local used = string.match(info, 'used_memory:(%d+)')
  -- A plain find: a pattern takes as long as all the rest to walk through what lies between.
  local most = string.match(info, '%d+', string.find(info, '\nmaxmemory:', 1, true))
  -- A record grows until its job is final, and messages need room too.
  if most ~= '0' and used + open * 256 > most * 0.9 then return 'The memory of Redis is almost used up' end
end
-- With a timer, recovery looks at the job again at that time (ms). A queued one that has none was rung for.
local function move(id, from, to, now, timer)
  if from and redis.call('ZREM', p .. ':state:' .. from, id) == 0 then
    redis.call('ZREM', p .. ':state:delayed', id)
  end
  if timer then
    redis.call('ZADD', p .. ':timers', timer, id)
  else
    redis.call('ZREM', p .. ':timers', id)
  end
  redis.call('ZADD', p .. ':state:' .. (timer and to == 'queued' and 'delayed' or to), now, id)
  redis.call('HSET', job_key(id), 'state', to)
end
local function record(id, task, queue, args, key, retries, now, timer)
  redis.call('HSET', job_key(id), 'task', task, 'queue', queue, 'args', args,
    'max_retries', retries, 'attempts', 0, 'created_at', now)
  if key ~= '' then
    redis.call('SET', p .. ':key:' .. task .. ':' .. key, id)
    redis.call('HSET', job_key(id), 'key', key)
  end
  move(id, nil, 'queued', now, timer)
end
-- A final job is kept for the retention only, and its idempotency key with it.
local function close(id, from, to, now, retention_ms)
  move(id, from, to, now)
  local task, key = unpack(redis.call('HMGET', job_key(id), 'task', 'key'))
  redis.call('HSET', job_key(id), 'finished_at', now)
  redis.call('PEXPIRE', job_key(id), retention_ms)
  if key then redis.call('PEXPIRE', p .. ':key:' .. task .. ':' .. key, retention_ms) end
  -- Long arguments would hold their memory for the whole retention; only a dead letter can need them again.
  if to ~= 'failed' and redis.call('HSTRLEN', job_key(id), 'args') > 1024 then
    redis.call('HDEL', job_key(id), 'args')
  end
  redis.call('HINCRBY', p .. ':stats', 'jobs:' .. task .. ':' .. to, 1)
end
local function bury(id, from, now, retention_ms)
  redis.call('HSET', job_key(id), 'reason', 'worker_lost', 'error', 'The worker died during every try')
  close(id, from, 'failed', now, retention_ms)
end
-- Held by this very claim: the number of the last one is the token.
local function owned(id, claim)
  local state, claims = unpack(redis.call('HMGET', job_key(id), 'state', 'claims'))
  return state == 'running' and claims == claim
end
