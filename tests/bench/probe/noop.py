"""The job of the benchmark as a task of the generated service."""

from work import async_mark, mark

from app.jobs import task

noop = task(name="bench.noop")(mark)
async_noop = task(name="bench.async_noop")(async_mark)
