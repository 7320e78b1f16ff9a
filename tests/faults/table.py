"""The table of faults: adding a fault adds a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from faults import crashes, messages, outages, shortages, tasks_gone_wrong, tries
from faults.outcome import Outcome, Scale
from faults.subject import Subject
from service.variants import Variant


@dataclass(frozen=True)
class Fault:
    """One way to break a service.

    `bare` tells whether the library by itself claims anything here, so that its defaults are tried as well.
    `only` names the brokers that it concerns.
    """

    name: str
    run: Callable[[Subject, Scale, Outcome], None]
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    bare: bool = True
    only: tuple[str, ...] = ("sqlite", "redis", "rabbitmq")

    def concerns(self, variant: Variant) -> bool:
        """Return whether this can happen to a service on this broker."""
        return variant.broker in self.only

    def __str__(self) -> str:
        return self.run.__name__.replace("_", "-")


SERVERS = ("redis", "rabbitmq")

FAULTS = [
    Fault("`kill -9` of the worker, 8 of 200 jobs in flight", crashes.killed_worker),
    Fault("SIGTERM, jobs shorter and longer than the grace period", crashes.stopped_worker, {"DRAIN_S": "4"}),
    Fault("rolling SIGTERM under load", crashes.rolled_with_term, {"DRAIN_S": "4"}),
    Fault("rolling SIGKILL under load", crashes.rolled_with_kill),
    Fault("API killed between record and message", crashes.killed_api, bare=False),
    Fault("messages repeated, out of order, unknown, garbage", messages.strange_messages, bare=False),
    Fault("the same idempotency key seven times at once", messages.repeated_key),
    Fault("two APIs, three workers, a backlog", messages.crowd, {"LEASE_S": "3"}),
    Fault("the clock of one worker a minute off", messages.skewed_clock, {"LEASE_S": "6"}),
    Fault("20 urgent jobs behind 1000", messages.urgent_lane),
    Fault("a periodic job, three workers, an outage", messages.schedule, {"PROBE_PERIOD_S": f"{messages.PERIOD_S}"}),
    Fault("cancelling jobs that wait and that run", messages.cancelled_jobs),
    Fault("broker killed and restarted under load", outages.killed_broker, only=SERVERS),
    Fault("Redis of the job store killed and restarted", outages.killed_store, only=("rabbitmq",), bare=False),
    Fault("everything killed at once under load", outages.killed_everything, only=("sqlite",)),
    Fault(
        "broker down when the service starts, and while it runs",
        outages.broker_away,
        {"LEASE_S": "3"},
        only=SERVERS,
        bare=False,
    ),
    Fault("Redis of the job store down", outages.store_away, {"LEASE_S": "3"}, only=("rabbitmq",), bare=False),
    Fault("no directory for the files at the start", outages.missing_directory, only=("sqlite",), bare=False),
    Fault("broker hangs for longer than a lease", outages.broker_hangs, {"LEASE_S": "3"}, only=SERVERS, bare=False),
    Fault(
        "Redis of the job store hangs for longer than a lease",
        outages.store_hangs,
        {"LEASE_S": "3"},
        only=("rabbitmq",),
        bare=False,
    ),
    Fault("files locked by another process", outages.locked_files, only=("sqlite",), bare=False),
    Fault("Redis at its memory limit", shortages.full_broker, only=("redis",)),
    Fault("Redis of the job store at its memory limit", shortages.full_store, only=("rabbitmq",), bare=False),
    Fault("RabbitMQ at its memory limit", shortages.blocked_broker, only=("rabbitmq",), bare=False),
    Fault("no room on the disk", shortages.full_disk, only=("sqlite",), bare=False),
    Fault("a task that never ends", tasks_gone_wrong.endless_task),
    Fault("a task that leaks 50 MB a call", tasks_gone_wrong.leaking_task),
    Fault("a task that crashes its process each time", tasks_gone_wrong.crashing_task, {"LEASE_S": "4"}),
    Fault("a task that fails", tries.failing_task),
    Fault("new code meets old jobs", tries.newer_code, {"CODE": "old", "LEASE_S": "3"}, bare=False),
]
