"""Makes calls on a project's job store, in the project's own Python: one JSON line in, one out.

The steps are the project's. Only the clock is a test's: two functions in Python, and the script command TIME.
"""

import json
import sys

from app.jobs import store as module
from app.jobs.errors import Unavailable
from app.jobs.record import Job
from app.settings import get_settings

# Comes right after the first line of a script. What expires by Redis' own clock is noted, for `set_clock` to delete.
LUA_CLOCK = """
local real = redis
local redis = {call = function(name, ...)
  local now = real.call('GET', 'clock')
  if name == 'TIME' then return {now, '0'} end
  if name == 'PERSIST' then return real.call('ZREM', 'expires', (...)) end
  if name ~= 'PEXPIRE' then return real.call(name, ...) end
  local key, ms = ...
  return real.call('ZADD', 'expires', now * 1000 + ms, key)
end}
"""


class SqliteCalls:
    """The job store in a file."""

    def open(self, url, settings):
        self.store = module.JobStore(make_settings(url, settings))

    def set_clock(self, steady_s, wall_s):
        module.monotonic, module.time = lambda: float(steady_s), lambda: float(wall_s)

    def reopen(self):
        self.store.close()

    def books(self):
        with self.store._reading() as db:
            rows = db.execute("select *, coalesce(timer, lease) is not null as timed from job").fetchall()
        entries = [
            {"indexes": [row["state"]], "timer": bool(row["timed"]), "rung": row["rung"] is not None}
            | {"key": row["key"] or "", "expires": row["finished_at"] is not None}
            | {name: row[name] for name in ("id", "state", "attempts", "max_retries")}
            for row in rows
        ]
        return entries, self.store.stats()


class RedisCalls:
    """The job store in Redis."""

    def open(self, url, settings):
        self.store = module.JobStore(make_settings(url, settings))
        for name, script in self.store._scripts.items():
            first, rest = script.script.split("\n", 1)
            self.store._scripts[name] = self.store._redis.register_script(first + LUA_CLOCK + rest)

    def set_clock(self, steady_s, _):
        redis = self.store._redis
        redis.set("clock", steady_s)
        for key in redis.zrangebyscore("expires", "-inf", steady_s * 1000):
            redis.delete(key)
            redis.zrem("expires", key)

    def reopen(self):
        """Forget the scripts, as a Redis that was restarted does."""
        self.store._redis.script_flush()

    def books(self):
        found = self._everything()
        jobs, indexes, keys = found["job"], found["state"], {held: key for key, held in found["key"].items()}
        ids = set(jobs).union(found["timers"], keys, *indexes.values())
        entries = [self._entry(one, jobs.get(one, {}), indexes, keys.get(one, ""), found) for one in ids]
        return entries, self.store.stats()

    def _everything(self):
        """Return all that is below the prefix: by the word after it, and what comes after that."""
        redis, prefix = self.store._redis, self.store._prefix
        names = redis.keys(f"{prefix}:*")
        read = {"job": "hgetall", "stats": "hgetall", "looked": "hgetall", "key": "get"}
        pipe = redis.pipeline(transaction=False).zrange("expires", 0, -1)
        for name in names:
            kind = name.split(":")[1]
            getattr(pipe, read.get(kind, "zrange"))(name, *(() if kind in read else (0, -1)))
        expires, *values = pipe.execute()
        found = {"job": {}, "state": {}, "key": {}, "timers": [], "looked": {}, "expires": expires}
        for name, value in zip(names, values, strict=True):
            _, kind, *rest = name.split(":")
            if rest:
                found[kind][":".join(rest)] = value
            else:
                found[kind] = value
        return found

    def _entry(self, job_id, record, indexes, key, found):
        prefix = self.store._prefix
        expiring = {
            name in found["expires"] for name in (f"{prefix}:job:{job_id}", key and f"{prefix}:key:{key}") if name
        }
        return {
            "id": job_id,
            "indexes": [index for index, held in indexes.items() if job_id in held],
            "timer": job_id in found["timers"],
            "rung": job_id in indexes.get("queued", []),
            "key": key.split(":")[-1],
            "expires": expiring.pop() if len(expiring) == 1 else "only one of record and key",
            "state": record.get("state"),
            "attempts": int(record.get("attempts", -1)),
            "max_retries": int(record.get("max_retries", -1)),
        }


def make_settings(url, settings):
    """Return the project's settings on this store."""
    changes = {"job_store_url": url, **settings}
    return type(get_settings()).model_validate(get_settings().model_dump() | changes)


def call(calls, name, args):
    """Make one call, on the probe itself or on its store; jobs go in as the dictionaries that came out."""
    if hasattr(calls, name):
        return getattr(calls, name)(*args)
    *places, names = args
    places = [Job.model_validate(place) if isinstance(place, dict) else place for place in places]
    if name == "renew":
        places = [[(Job.model_validate(job), progress) for job, progress in places[0]]]
    return getattr(calls.store, name)(*places, **names)


def plain(value):
    """Return what JSON has no word for as a dictionary."""
    if isinstance(value, Job):
        return value.model_dump(mode="json") | {"claims": value.claims}
    raise TypeError(type(value))


def main():
    """Answer every line until there are no more."""
    calls = SqliteCalls() if sys.argv[1] == "sqlite" else RedisCalls()
    for line in sys.stdin:
        name, args = json.loads(line)
        try:
            answer = call(calls, name, args)
        except Unavailable as error:
            answer = {"refused": type(error).__name__}
        sys.stdout.write(json.dumps(answer, default=plain) + "\n")
        sys.stdout.flush()


main()
