"""Keep the jobs of this process: renew their leases, hold them to their limits.

One thread a process. It renews all leases in one round trip, passes progress on, raises
`TimeLimitExceeded` or `JobCancelled` inside a task, and ends the process when a job ignores
its hard limit: only that stops a loop that swallows exceptions or never leaves C code.
"""

import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from app.jobs.errors import JobCancelled, TimeLimitExceeded, Unavailable
from app.jobs.heartbeat import taking_jobs, touch
from app.jobs.run import Run, begin, give_up
from app.jobs.store import job_store
from app.jobs.threads import Once
from app.settings import get_settings, hard_limit_s

logger = logging.getLogger(__name__)

_TICK_S = 1.0
_RECORDING_S = 2.0
# A thread that holds the GIL this long past every limit is ended by a timer that needs no GIL.
_WATCHDOG_S = 120.0


class Keeper:
    """What looks after the running jobs of one process."""

    def __init__(self) -> None:
        self._settings = get_settings()
        # Impatient: a broker that is away must not keep the limits from being watched.
        self._store = job_store()
        self._runs: set[Run] = set()
        self._claiming = 0
        self._lock = threading.Lock()
        # Closed for good when the process ends: a job that is claimed then would have nobody to hand it back.
        self._door = threading.Lock()
        self._limited_at = monotonic()
        self._renew_at = 0.0
        self._heartbeat: Path | None = None
        self.jobs_done = 0
        threading.Thread(target=self._loop, name="keeper", daemon=True).start()

    def take(self, job_id: str) -> Run | None:
        """Claim the job and keep its lease until `watch` ends; None when there is nothing to run."""
        with self._door, self._lock:
            self._claiming += 1
        try:
            run = begin(job_id)
            if run is not None:
                with self._lock:
                    self._runs.add(run)
            return run
        finally:
            with self._lock:
                self._claiming -= 1

    @contextmanager
    def watch(self, run: Run) -> Iterator[None]:
        """Hold the job to its limits for as long as the block lasts, and its lease with it."""
        try:
            with self._lock:
                self._runs.add(run)
                run.begun = True
            yield
        finally:
            run.leave()
            with self._lock:
                self._runs.discard(run)
                self.jobs_done += 1

    def show_life(self, path: Path) -> None:
        """Touch this file from now on, for as long as this process can take jobs."""
        self._heartbeat = path

    def hand_back(self) -> None:
        """Give every job that still runs to the other workers; the process ends after this."""
        self._come_to_rest(lambda run: run.over)
        self._release()

    def _come_to_rest(self, is_ending: Callable[[Run], object]) -> None:
        """Claim no more; wait a moment for what is being claimed, and for the records of what is about to end.

        Without its record a job would run again; one that nobody here knows of could not be handed back.
        """
        self._door.acquire(timeout=_RECORDING_S)
        until = monotonic() + _RECORDING_S
        while (self._claiming or any(map(is_ending, self._held()))) and monotonic() < until:
            sleep(0.01)

    def _release(self) -> None:
        until = monotonic() + _RECORDING_S
        for run in self._running():
            if monotonic() > until:
                break  # the job store is away, and the leases run out by themselves
            with suppress(Unavailable):
                if self._store.hand_back(run.job):
                    logger.warning("job handed back", extra={"job_id": run.job.id, "task": run.task.name})

    def _running(self) -> list[Run]:
        with self._lock:
            return [run for run in self._runs if not run.over]

    def _held(self) -> list[Run]:
        with self._lock:
            return list(self._runs)

    def _loop(self) -> None:
        while True:
            threading.Event().wait(_TICK_S)
            faulthandler.dump_traceback_later(_WATCHDOG_S, exit=True)
            try:
                self._limit()
                self._show_life()
                self._renew()
            except Unavailable as error:
                logger.warning("leases not renewed", extra={"error": str(error)})
            except Exception:  # the keeper outlives any single failure: the jobs depend on it
                logger.exception("keeper failed once")

    def _limit(self) -> None:
        now = monotonic()
        passed_s, self._limited_at = now - self._limited_at, now
        for run in (run for run in self._running() if run.begun):
            if run.held_up is not None and run.held_up():
                run.started = min(run.started + passed_s, now)  # its time does not run while another job is in its way
            age_s = now - run.started
            # In this order: on a busy machine a tick can be so late that both have passed.
            if age_s > run.soft_limit_s and run.interrupted is None:
                run.interrupt(TimeLimitExceeded)
            elif age_s > hard_limit_s(run.soft_limit_s):
                self._end_process(run)

    def _show_life(self) -> None:
        if self._heartbeat and taking_jobs(busy={run.thread.name for run in self._held()}):
            touch(self._heartbeat)

    def _renew(self) -> None:
        runs = self._held()
        moved = any(run.reported != run.progress for run in runs)
        if not runs or (monotonic() < self._renew_at and not moved):
            return
        answers = self._store.renew((run.job, run.progress) for run in runs)
        self._renew_at = monotonic() + self._settings.lease_s / 4
        for run, answer in zip(runs, answers, strict=True):
            run.reported = run.progress
            if answer == "cancel" and run.begun and run.interrupted is None:
                run.interrupt(JobCancelled)
            elif answer == "lost" and not run.over:
                logger.error("lease lost while the job ran", extra={"job_id": run.job.id})

    def _end_process(self, culprit: Run) -> None:
        logger.critical("hard time limit passed, ending the process", extra={"job_id": culprit.job.id})
        faulthandler.dump_traceback()
        try:
            # Also for those that were told to end and may still do so.
            self._come_to_rest(lambda run: run.over or (run.interrupted and run is not culprit))
            for run in self._running():
                if run is culprit or run.interrupted is TimeLimitExceeded:
                    run.over = True
                    give_up(run.job, TimeLimitExceeded("The job ignored its soft time limit"), TimeLimitExceeded.reason)
            self._release()
        except Exception:  # whatever could not be recorded: its lease runs out, and this process takes no more jobs
            logger.exception("process ends with jobs on record as running")
        finally:
            os._exit(70)


@Once
def keeper() -> Keeper:
    """Return the keeper of this process, started on first use."""
    return Keeper()
