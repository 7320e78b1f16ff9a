-- Jobs that wait for others. `pending`: how many it still waits for; `then`, `place`: who waits for this
-- one, and as which of its inputs. Until nobody is awaited any more, a timer and `cancel` end the wait.
local close_alone = close
local function waits(id, now)
  local timer = redis.call('ZSCORE', p .. ':timers', id)
  -- Past its timer it is about to be cancelled.
  return redis.call('HGET', job_key(id), 'state') == 'queued' and timer and tonumber(timer) > now
end
-- Its last argument was recorded as null, to be replaced by what the jobs before it returned.
local function release(id, now)
  local args, gather = unpack(redis.call('HMGET', job_key(id), 'args', 'gather'))
  local inputs = {}
  repeat
    local field = 'input:' .. #inputs + 1
    inputs[#inputs + 1] = redis.call('HGET', job_key(id), field) or nil
  until redis.call('HDEL', job_key(id), field) == 0
  local given = table.concat(inputs, ',')
  if gather == '1' then given = '[' .. given .. ']' end
  redis.call('HSET', job_key(id), 'args', string.sub(args, 1, -#'null]' - 1) .. given .. ']')
  redis.call('HDEL', job_key(id), 'cancel')
  redis.call('ZADD', p .. ':timers', now, id)
end
local function close(id, from, to, now, retention_ms)
  close_alone(id, from, to, now, retention_ms)
  local follower, place, result = unpack(redis.call('HMGET', job_key(id), 'then', 'place', 'result'))
  if not follower or to == 'failed' or not waits(follower, now) then return end
  if to == 'cancelled' then return close(follower, 'queued', to, now, retention_ms) end
  redis.call('HSET', job_key(follower), 'input:' .. place, result or 'null')
  if redis.call('HINCRBY', job_key(follower), 'pending', -1) == 0 then release(follower, now) end
end
