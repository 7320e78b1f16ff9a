-- id, task, queue, args, key, max_retries, delay_ms, max_waiting
local id, task, queue, args, key, retries, delay, limit = unpack(ARGV)
local known = known_as(task, key)
if known then return {'known', known} end
local why = full(1, limit)
if why then return {'full', why} end
local now = now_ms()
record(id, task, queue, args, key, retries, now, tonumber(delay) > 0 and now + delay or nil)
return {'added', now}
