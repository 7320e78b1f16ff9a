"""The worker: `python -m app.worker` runs Celery with a pool of processes.

Celery's main process takes messages and has no thread and no connection of ours, so that a
process can be forked at any time. What looks after jobs runs in each process of the pool.
"""

import logging
import mmap
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from billiard.process import current_process
from celery import bootsteps, signals
from celery.apps.worker import Worker
from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import get_multiprocessing_logger
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.connection import Connection

from app.jobs import transport
from app.jobs.broker import celery_app, ring
from app.jobs.declare import declared_tasks, lanes
from app.jobs.errors import Unavailable
from app.jobs.heartbeat import touch
from app.jobs.keeper import keeper
from app.jobs.recovery import Recovery, end_rounds
from app.observability import configure_logging
from app.settings import Settings, get_settings, hard_limit_s

logger = logging.getLogger(__name__)

# One byte that all processes share: 1 once the worker was told to stop.
_stopping = mmap.mmap(-1, 1)
_ACKNOWLEDGE_AFTER_S = 600.0
_BACKSTOP_S = 60.0
_RECOVERING = 2

_held_since: WeakKeyDictionary[Request, float] = WeakKeyDictionary()


class WorkerSettings(Settings):
    """The settings of a worker, beside those of the whole service."""

    task_events: bool = False


def worker_settings() -> dict[str, Any]:
    """Return Celery's settings that only matter in a worker."""
    settings = get_settings()
    longest_s = max(
        [settings.soft_limit_s, *(task.time_limit.total_seconds() for task in declared_tasks() if task.time_limit)]
    )
    return {
        "worker_concurrency": settings.worker_processes,
        # Acknowledged when done, one message for each process: none waits here while another
        # worker is idle. Losing or repeating a message does no harm, the lease decides.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        # A job whose process died comes back through its lease, which counts its tries:
        # giving the message back at once would go round for ever.
        "task_reject_on_worker_lost": False,
        # The keeper ends what passes its limits and records why; this is for a process whose
        # keeper cannot, because the process is stopped or stuck in the kernel.
        "task_time_limit": hard_limit_s(longest_s) + _BACKSTOP_S,
        "worker_max_tasks_per_child": settings.recycle_after_jobs or None,
        # In kB, compared after each job with the most that the process ever used. A job that
        # needs much for a moment costs a new process (about a second); a leak never gets further.
        "worker_max_memory_per_child": settings.memory_limit_mb * 1000 or None,
        "worker_proc_alive_timeout": 20,
        "broker_channel_error_retry": True,  # a full Redis, a queue that was deleted: no reason to end
        "broker_heartbeat": 6,  # a dead RabbitMQ is noticed after twice as long
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # their leases live on
        # For Flower, which asks and listens; both cost messages.
        "worker_enable_remote_control": WorkerSettings().task_events,
        "worker_send_task_events": WorkerSettings().task_events,
        "worker_consumer": _Consumer,
        "worker_redirect_stdouts": False,
    }


class _Pulse(bootsteps.StartStopStep):
    """Runs in Celery's event loop, and so only while that turns and has its broker."""

    def register_with_event_loop(self, consumer: Any, hub: Any) -> None:
        """Start anew with each connection; Celery ends it when the connection is lost."""
        hub.call_repeatedly(1, self._beat, consumer)

    def _beat(self, consumer: Any) -> None:
        transport.assure(consumer.connection)
        touch(get_settings().heartbeat_dir / "main")
        for request in list(state.reserved_requests):
            # RabbitMQ cuts off who holds a message for 30 minutes; a job may run for hours.
            if monotonic() - _held_since.setdefault(request, monotonic()) > _ACKNOWLEDGE_AFTER_S:
                request.acknowledge()


class _Consumer(Consumer):
    connection_errors: tuple[type[Exception], ...]

    class Blueprint(Consumer.Blueprint):
        # For delays Celery would declare 28 exchanges and queues; ours live in the job store.
        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if "delayed" not in step)

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        # What is no message at all has been taken off when that is noticed: connect anew and go on.
        self.connection_errors = (*self.connection_errors, *transport.GARBLED)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop a message that nobody can read."""
        super().on_decode_error(message, exc)
        _drop_garbled()

    def ensure_connected(self, conn: Connection) -> Connection:
        """Wait for the broker for as long as it takes; Celery would look ever more seldom, then give up."""

        def tell(error: Exception, _: float) -> None:
            logger.warning("worker waits for its broker", extra={"error": str(error)})

        return conn.ensure_connection(tell, interval_start=2, interval_step=0, callback=state.maybe_shutdown)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Forget the messages held over the lost connection: they come again, and find their jobs running."""
        if isinstance(exc, transport.GARBLED):
            _drop_garbled()
        for request in list(state.active_requests):
            request.acknowledged = True
        with warnings.catch_warnings():
            # It asks to decide whether running jobs should end now; the settings above have.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)


class _Worker(Worker):
    def install_platform_tweaks(self, worker: Any) -> None:
        """Handle the signals of a container; Celery's own handlers wait without a limit."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, _stop)

    def on_consumer_ready(self, consumer: Any) -> None:
        """Say that the worker takes messages."""
        super().on_consumer_ready(consumer)
        logger.info("worker ready", extra={"processes": get_settings().worker_processes})

    def on_close(self) -> None:
        """Say that the end began."""
        logger.info("worker stops, running jobs may finish", extra={"drain_s": get_settings().drain_s})
        # Processes that hand back their job and leave would be errors with a traceback each.
        logging.getLogger("celery.worker.request").setLevel(logging.CRITICAL)
        super().on_close()


def _stop(*_: object) -> None:
    """Let Celery take no more messages; each process of the pool finishes or hands back its job."""
    if not _stopping[0]:
        _stopping[0] = 1
        state.should_stop = 0
        # Whatever still hangs then is ended by the kernel, and the pool with it.
        signal.alarm(get_settings().drain_s + 4)


def _start_process(**_: object) -> None:
    # A manager that signals all processes must not end a job: the parent's flag says when to leave.
    # The pool would replace any handler but this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # With a handler, the signal of an interrupt also ends a call that sleeps or waits for a socket.
    signal.signal(signal.SIGURG, lambda *_: None)
    keeper()
    threading.Thread(target=_leave_in_time, name="leave", daemon=True).start()
    # Two processes are enough to recover what others left, and one may be stuck.
    if current_process().index < _RECOVERING:
        Recovery().start()


def _drop_garbled(**_: object) -> None:
    """Let a process of the pool count a message that nobody could read; this one has no job store."""
    try:
        ring("garbled-message", lanes()[-1])
    except Unavailable as error:
        logger.warning("garbled message not counted", extra={"error": str(error)})


def _outlive_term(**_: object) -> None:
    # What a job starts would inherit that the signal is ignored, but not this.
    signal.signal(signal.SIGTERM, lambda *_: None)


def _end_process(**_: object) -> None:
    end_rounds()


def _leave_in_time() -> None:
    """Show that this process runs; end it at the end of the drain time, where Celery would wait for its job."""
    pulse = get_settings().heartbeat_dir / str(current_process().index + 1)
    while not _stopping[0]:
        with suppress(OSError):  # a disk that is full must not keep this from its work
            touch(pulse)
        threading.Event().wait(0.5)
    threading.Event().wait(get_settings().drain_s)
    try:
        end_rounds()
        keeper().hand_back()
        logging.shutdown()
    finally:
        os._exit(0)


def _configure_logging() -> None:
    configure_logging()
    logging.captureWarnings(True)
    # Celery's own log repeats every message; the job's log says what matters.
    logging.getLogger("celery").setLevel(logging.WARNING)
    # Whoever answers this signal configures the logs, so Celery does not.
    signals.setup_logging.connect(_keep_logging)


def _keep_logging(**_: object) -> None:
    # The pool's log leads nowhere by itself.
    get_multiprocessing_logger().propagate = True
    get_multiprocessing_logger().setLevel(logging.WARNING)


def main() -> None:
    """Run the worker until SIGTERM or Ctrl-C."""
    _configure_logging()
    signals.worker_process_init.connect(_start_process)
    signals.worker_process_shutdown.connect(_end_process)
    signals.task_prerun.connect(_outlive_term)
    signals.task_rejected.connect(_drop_garbled)
    signals.task_unknown.connect(_drop_garbled)
    app = celery_app()
    app.conf.update(worker_settings())
    app.steps["consumer"].add(_Pulse)
    silent = not WorkerSettings().task_events
    worker = _Worker(app=app, quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=silent)
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
