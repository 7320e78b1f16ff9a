"""Run jobs in this process, beside its requests.

A job starts as soon as there is room for it, in a request, in a script and in a test alike.
`fastapi.BackgroundTasks` can be reached from a request only, runs its functions one after another,
and blocking ones in the 40 threads that the synchronous endpoints need; it knows no record, no
limit and no retry. What both have in common: the work ends with the process.
"""

import asyncio
import json
import logging
import math
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any

from app.jobs.declare import Task, find_task
from app.jobs.errors import JobCancelled, JobInterrupted, TimeLimitExceeded, Unavailable
from app.jobs.processes import CpuPool, PoolSettings, ProcessDied
from app.jobs.record import Job, JobState
from app.jobs.run import JobThread, Run, contained, current_run
from app.jobs.store import job_store
from app.observability import job_id_var
from app.settings import get_settings, hard_limit_s

logger = logging.getLogger(__name__)

_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 60.0
_ERROR_CHARS = 2000
_LAST_WORDS_S = 1.0


_open: list["Runner"] = []


class ShuttingDown(JobInterrupted):
    """Raised inside a task that could not finish before the process has to end."""

    reason = "shutdown"


class Lane:
    """Jobs that share a bound on how many run at once; urgent ones overtake."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def place(self, queue: str) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (queue != "urgent", next(self._order), turn))
        self._admit()
        try:
            await turn
            yield
        finally:
            if not turn.cancelled():
                self._room += 1
                self._admit()

    def _admit(self) -> None:
        while self._room and self._waiting:
            turn = heappop(self._waiting)[2]
            if not turn.cancelled():
                self._room -= 1
                turn.set_result(None)


class Runner:
    """What runs jobs on one event loop, from its start until it is drained."""

    def __init__(self) -> None:
        settings = get_settings()
        self.loop = asyncio.get_running_loop()
        self._store = job_store()
        self._lanes = {False: Lane(settings.concurrency), True: Lane(PoolSettings().cpu_processes)}
        self._processes = CpuPool()
        # The event loop itself forgets a task that nobody holds.
        self._held: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, tuple[asyncio.Task[None], float]] = {}
        self._runs: dict[str, Run] = {}
        self._deadline = math.inf

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs can still be submitted."""
        return self._deadline == math.inf

    async def submit(self, task: Task[..., Any], args: list[Any], key: str | None, delay_s: float) -> Job:
        """Record the job and start it when it is due and there is room.

        Raises:
            TooManyJobs: As many jobs wait as the service accepts; nothing was recorded.
            Unavailable: The process shuts down; nothing was recorded.
        """
        if not self.takes_jobs:
            raise Unavailable("This process shuts down")
        job, new = self._store.add(task.name, task.queue, args, key, task.max_retries)
        if new:
            self._schedule(job, delay_s)
        return job

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a waiting job, ask a running one to stop, leave a final one alone."""
        job = self._store.get(job_id)
        if job is not None and job_id in self._runs:
            self._runs[job_id].interrupt(JobCancelled)
        elif job is not None and not job.state.final:
            if job_id in self._waiting:
                self._waiting.pop(job_id)[0].cancel()
            job = self._store.finish(job_id, JobState.CANCELLED)
        return job

    def retry(self, job_id: str) -> Job | None:
        """Queue a dead letter again, with all its tries; leave any other job alone."""
        job = self._store.get(job_id)
        if job is not None and job.state is JobState.FAILED:
            job = self._store.revive(job_id)
            self._schedule(job)
        return job

    def as_it_stands(self, job: Job) -> Job:
        """Return the job with the progress of its run."""
        run = self._runs.get(job.id)
        return job if run is None else job.model_copy(update={"progress": run.progress})

    def stats(self) -> dict[str, int]:
        """Return the counters of the store, where jobs whose delay is not over are `state:delayed`."""
        now = self.loop.time()
        later = [self._store.get(job_id) for job_id, (_, due) in self._waiting.items() if due > now]
        delayed = sum(job is not None and job.state is JobState.QUEUED for job in later)
        totals = self._store.stats()
        return totals | {"state:queued": totals.get("state:queued", 0) - delayed, "state:delayed": delayed}

    async def drain(self, patience_s: float) -> None:
        """Finish what runs and waits, as far as it can be done in time; say in the log what is lost."""
        self._deadline = self.loop.time() + patience_s
        for waiting, due in self._waiting.values():
            if due > self._deadline:
                waiting.cancel()
        try:
            while self._held and (left_s := self._deadline - self.loop.time()) > 0:
                await asyncio.wait(self._held, timeout=left_s)
            for job in self._store.unfinished():
                logger.error("job lost at shutdown", extra={"job_id": job.id, "task": job.task, "state": job.state})
            for waiting, _ in self._waiting.values():
                waiting.cancel()
            for run in self._runs.values():
                run.interrupt(ShuttingDown)
            if self._held:
                await asyncio.wait(self._held, timeout=_LAST_WORDS_S)
        finally:
            self._processes.close()

    def _schedule(self, job: Job, delay_s: float = 0) -> None:
        """Start the job when it is due and there is room; not at all when that is after the end."""
        due = self.loop.time() + delay_s
        if due <= self._deadline:
            held = self.loop.create_task(self._wait_and_run(job, delay_s))
            self._waiting[job.id] = held, due
            self._held.add(held)
            held.add_done_callback(self._held.discard)

    async def _wait_and_run(self, job: Job, delay_s: float) -> None:
        task = find_task(job.task)
        await asyncio.sleep(delay_s)
        async with self._lanes[task.cpu].place(job.queue):
            del self._waiting[job.id]
            await self._run(Run(job, task, _limit_s(task)))

    async def _run(self, run: Run) -> None:
        job_id_var.set(run.job.id)
        current_run.set(run)
        self._runs[run.job.id] = run
        now = datetime.now(UTC)
        run.job = self._store.change(
            run.job.id, state=JobState.RUNNING, attempts=run.job.attempts + 1, started_at=now, error=None
        )
        logger.info("job started", extra={"task": run.task.name, "attempt": run.job.attempts})
        try:
            # Neither NaN nor half a character can be shown to anybody later.
            packed = json.dumps(await self._call(run), allow_nan=False, ensure_ascii=False).encode()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is the job's outcome
            del self._runs[run.job.id]
            await self._fail(run, run.interrupted() if run.interrupted else error)
        else:
            del self._runs[run.job.id]
            done = None if run.progress is None else 1.0
            self._store.finish(run.job.id, JobState.SUCCEEDED, result=json.loads(packed), progress=done)
            logger.info("job succeeded", extra={"task": run.task.name})

    async def _call(self, run: Run) -> Any:
        if run.task.cpu:
            async with self._processes.process() as process:
                if run.interrupted:
                    raise run.interrupted
                grace_s = hard_limit_s(run.soft_limit_s) - run.soft_limit_s
                run.stop = partial(process.interrupt, grace_s=grace_s / 2)
                return await self._limited(run, process.call(run.job))
        if run.task.is_async:
            work = self.loop.create_task(_await(run))
            run.stop = work.cancel
            return await self._limited(run, work)
        thread = JobThread(partial(run.task.function, *run.job.args))
        run.stop = thread.interrupt
        return await self._limited(run, asyncio.wrap_future(thread.outcome))

    async def _limited(self, run: Run, call: Awaitable[Any]) -> Any:
        work = asyncio.ensure_future(call)
        for limit_s in (run.soft_limit_s, hard_limit_s(run.soft_limit_s) - run.soft_limit_s):
            await asyncio.wait({work}, timeout=limit_s)
            if work.done():
                return work.result()
            run.interrupt(TimeLimitExceeded)
        # Neither a thread nor a coroutine can be ended by force: it goes on, unheard.
        logger.critical("job ignores its time limit and is left behind")
        raise TimeLimitExceeded("The job ignored its soft time limit")

    async def _fail(self, run: Run, error: BaseException) -> None:
        job, task = run.job, run.task
        # Half a character, as in the name of a file, could not be shown.
        text = f"{type(error).__name__}: {error}"[:_ERROR_CHARS].encode(errors="backslashreplace").decode()
        if isinstance(error, JobCancelled):
            self._store.finish(job.id, JobState.CANCELLED, error="Cancelled", reason=error.reason)
            logger.info("job cancelled while it ran")
        elif isinstance(error, (*task.retry_on, ProcessDied)) and job.attempts <= job.max_retries:
            delay_s = min(_RETRY_FIRST_S * 2 ** (job.attempts - 1), _RETRY_CAP_S)
            delay_s *= random.uniform(0.5, 1.0)  # noqa: S311 - disperses a herd, keeps no secret
            logger.warning("job will be retried", exc_info=error, extra={"delay_s": round(delay_s, 1)})
            self._schedule(self._store.change(job.id, state=JobState.RETRYING, error=text), delay_s)
        else:
            reason = error.reason if isinstance(error, JobInterrupted) else "error"
            logger.error("job is a dead letter", exc_info=error, extra={"task": task.name, "reason": reason})
            await _bury(task, self._store.finish(job.id, JobState.FAILED, error=text, reason=reason))


async def _await(run: Run) -> Any:
    try:
        return await run.task.function(*run.job.args)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - also sys.exit() ends the job only
        raise contained(error)  # noqa: B904 - it has its cause


async def _bury(task: Task[..., Any], job: Job) -> None:
    if task.on_dead_letter is not None:
        try:
            await asyncio.wrap_future(JobThread(partial(task.on_dead_letter, job)).outcome)
        except Exception:  # the user's hook: whatever it raises must not end more than itself
            logger.exception("on_dead_letter hook failed")


def _limit_s(task: Task[..., Any]) -> float:
    return task.time_limit.total_seconds() if task.time_limit else get_settings().soft_limit_s


@contextmanager
def running() -> Iterator[Runner]:
    """Make a runner on this event loop the one that takes this process's jobs."""
    runner = Runner()
    _open.append(runner)
    try:
        yield runner
    finally:
        _open.remove(runner)


def open_runner() -> Runner:
    """Return the runner that takes this process's jobs.

    Raises:
        RuntimeError: There is none.
    """
    if not _open:
        raise RuntimeError("Nothing runs jobs here: enqueue inside `async with background_jobs():`")
    return _open[-1]
